"""What a paper's table ran, row by row: `zsadbench/papers/PAPER/tableN.toml`, read field by field.

The printed numbers stand in `zsadbench/published`; a row is tied to them by its label and its number of shots.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.compare.published import papers, read_published
from zsadbench.data.cards.fields import Fields
from zsadbench.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

NOT_BUILT = "not built yet"
ELSE = "else"  # in `aux` and `epochs`: whatever is not named


@dataclass(frozen=True)
class PaperRow:
    """One row of a table, and what makes it again.

    `aux` maps targets to auxiliary sets, `epochs` auxiliary sets to epochs (empty for a method that learns nothing);
    both may have `else`. `aupro` is the variant that our number is given in. `left_out` says why the row is not run,
    `uncertain` what the paper does not say of it, so that our number is shown and not judged.
    """

    label: str
    method: str
    options: tuple[str, ...]
    shots: int
    protocol: str
    aupro: str
    seeds: tuple[int, ...]
    support_seeds: tuple[int, ...]
    backbone: str
    weights: str
    image_size: int
    aux: Mapping[str, str]
    epochs: Mapping[str, int]
    left_out: str = ""
    uncertain: str = ""

    def aux_for(self, target: str) -> str:
        """The auxiliary set that the row learned from when it was tested on `target`; `none` for nothing."""
        return self.aux.get(target, self.aux.get(ELSE, "none"))

    def epochs_on(self, aux: str) -> int | None:
        """Epochs on the auxiliary set `aux`; None where the table does not say."""
        return self.epochs.get(aux, self.epochs.get(ELSE))


@dataclass(frozen=True)
class PaperTable:
    """One table of one paper. `targets` are the data sets that it ran on, by the names of their cards."""

    paper: str
    number: str
    targets: tuple[str, ...]
    rows: tuple[PaperRow, ...]
    source: str

    @property
    def name(self) -> str:
        """`PAPER:tableN`.

        >>> PaperTable("fbclip", "3", (), (), "").name
        'fbclip:table3'
        """
        return f"{self.paper}:table{self.number}"

    @property
    def title(self) -> str:
        """Where it was printed and what it shows."""
        about = papers()[self.paper]
        return (
            f"{about['label']} ({about['venue']} {about['year']}), Table {self.number}: {about['tables'][self.number]}"
        )

    def published(self) -> pd.DataFrame:
        """Its printed numbers, in the columns of `compare.frame`."""
        frame = _numbers()
        return frame[(frame["source"] == self.paper) & (frame["table"] == self.number)]


def why_left_out(row: PaperRow) -> str:
    """Why a row is not run; empty when it is."""
    if row.left_out:
        return row.left_out
    if row.method not in registry.names("methods"):
        return NOT_BUILT
    if row.shots and not registry.method_card(row.method).few_shot:
        return f"{NOT_BUILT}: the few-shot form of {row.method}"
    if row.shots < 0:
        return f"{NOT_BUILT}: {row.method} with all normal images"
    return ""


def table_names() -> list[str]:
    """Every table that can be asked for, in the order of the papers."""
    return [f"{paper}:table{number}" for paper, about in papers().items() for number in about["tables"]]


def find_table(name: str) -> PaperTable:
    """The table called `PAPER:tableN`.

    Raises:
        UsageError: there is none of this name.
        DataError: its description is wrong, or its rows are not those that were printed.
    """
    if name not in table_names():
        raise unknown("table", name, table_names())
    paper, _, number = name.partition(":table")
    place = files("zsadbench").joinpath(f"papers/{paper}/table{number}.toml")
    table = read_table(place.read_text(encoding="utf-8"), paper, number, str(place))
    check_rows(table)
    return table


def read_table(text: str, paper: str, number: str, source: str) -> PaperTable:
    """Read a description written as TOML; `source` is its file's name, for messages.

    Raises:
        DataError: it is no TOML, or a field is missing, unknown or wrong.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    fields = Fields(content, source)
    targets, defaults = fields.texts("targets"), fields.take("defaults", {})
    rows = fields.take("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(defaults, dict):
        raise fields.wrong("rows", "must be a list of tables, and 'defaults' a table")
    fields.done()
    read = [_row(Fields({**defaults, **row}, f"{source}: rows[{place}]")) for place, row in enumerate(rows)]
    return PaperTable(paper, number, targets, tuple(read), source)


def check_rows(table: PaperTable) -> None:
    """Raise `DataError` unless every printed row is described once, and nothing else is."""
    printed = table.published()
    wanted = set(zip(printed["entry"], printed["shots"], strict=True))
    found = [(row.label, "full" if row.shots < 0 else str(row.shots)) for row in table.rows]
    for label, shots in found:
        if (label, shots) not in wanted:
            raise DataError(f"{table.source}: row '{label}' with {shots} shots is not among the printed ones")
        if found.count((label, shots)) > 1:
            raise DataError(f"{table.source}: row '{label}' with {shots} shots is described twice")
    for label, shots in wanted - set(found):
        raise DataError(f"{table.source}: the printed row '{label}' with {shots} shots is not described")


@cache
def _numbers() -> pd.DataFrame:
    return read_published()


def _row(fields: Fields) -> PaperRow:
    row = PaperRow(
        label=fields.text("label"),
        method=fields.text("method"),
        options=fields.texts("options", ()),
        shots=_shots(fields),
        protocol=fields.text("protocol"),
        aupro=fields.text("aupro", among=("exact", "200_minmax", "200_max")),
        seeds=_wholes(fields, "seeds"),
        support_seeds=_wholes(fields, "support_seeds", (0,)),
        backbone=fields.text("backbone"),
        weights=fields.text("weights"),
        image_size=fields.whole("image_size", 518),
        aux=_names(fields.take("aux", {}), fields),
        epochs=_epochs(fields.take("epochs", {}), fields),
        left_out=fields.text("left_out", ""),
        uncertain=fields.text("uncertain", ""),
    )
    fields.done()
    return row


def _shots(fields: Fields) -> int:
    """A number of shots; -1 stands for `full`, every normal training image."""
    given = fields.take("shots", 0)
    return -1 if given == "full" else fields.whole("shots", 0)


def _wholes(fields: Fields, field: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
    value = fields.take(field, None if default is None else list(default))
    if not isinstance(value, list) or not value or any(type(one) is not int or one < 0 for one in value):
        raise fields.wrong(field, f"must be a list of whole numbers, not {value!r}")
    return tuple(value)


def _names(value: object, fields: Fields) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(one, str) and one for one in value.values()):
        raise fields.wrong("aux", f"must map targets to auxiliary sets, not {value!r}")
    return dict(value)


def _epochs(value: object, fields: Fields) -> dict[str, int]:
    if not isinstance(value, dict) or not all(type(one) is int and one > 0 for one in value.values()):
        raise fields.wrong("epochs", f"must map auxiliary sets to epochs, not {value!r}")
    return dict(value)
