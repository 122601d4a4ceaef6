"""The settings of every row of a paper's table, read from `PAPER/tableN.toml`.

Those of shipped papers lie in `zsadbench/papers`, with the printed numbers in `zsadbench/published`; a package in
`zsadbench.published` has both in its folder (`compare.printed_papers`). The label and the number of shots of a row find
its numbers there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.compare.printed_papers import papers
from zsadbench.compare.published import read_published
from zsadbench.data.cards.fields import Fields
from zsadbench.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

NOT_BUILT = "not built yet"
ELSE = "else"  # in `aux` and `epochs`: every key that is not listed


@dataclass(frozen=True)
class PaperRow:
    """One row of a table and the settings that reproduce it.

    Attributes:
        label: the label that the paper prints.
        method: the method's name in the registry.
        options: its options as `key=value`.
        shots: support images per class; -1 for all normal training images.
        protocol: the protocol of the run.
        aupro: the variant in which our AUPRO is given: `exact`, `200_minmax` or `200_max`.
        seeds: training seeds.
        support_seeds: seeds of the choice of support images.
        backbone: name of the backbone.
        weights: the weights that the paper used.
        image_size: side of the input in pixels.
        aux: target → auxiliary set; may have the key `else`.
        epochs: auxiliary set → epochs; may have the key `else`; empty for a method that is not trained.
        left_out: why the row cannot be run; empty when it can.
        uncertain: what the paper leaves open about the row, so that our number is shown and not judged; or empty.
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
        """The auxiliary set that the row was trained on before its test on `target`; `none` without training."""
        return self.aux.get(target, self.aux.get(ELSE, "none"))

    def epochs_on(self, aux: str) -> int | None:
        """Epochs of training on the auxiliary set `aux`; None where the table does not say."""
        return self.epochs.get(aux, self.epochs.get(ELSE))


@dataclass(frozen=True)
class PaperTable:
    """One table of one paper.

    Attributes:
        paper: short name of the paper.
        number: number of the table.
        targets: the names of its data sets.
        rows: its rows.
        source: the file of the description.
        switches: of an ablation, name of a part of the method → the options that a row with this part has.
    """

    paper: str
    number: str
    targets: tuple[str, ...]
    rows: tuple[PaperRow, ...]
    source: str
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`PAPER:tableN`.

        >>> PaperTable("fbclip", "3", (), (), "").name
        'fbclip:table3'
        """
        return f"{self.paper}:table{self.number}"

    @property
    def title(self) -> str:
        """Paper, venue, year, number and printed title of the table."""
        return papers()[self.paper].caption(self.number)

    def published(self) -> pd.DataFrame:
        """Its printed numbers, with the columns of `compare.frame.COLUMNS`."""
        frame = _published()
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
    """The names `PAPER:tableN` of all tables with a description of their rows, in the order of the papers."""
    return [
        f"{paper}:table{number}"
        for paper, about in papers().items()
        for number in about.tables
        if _description(paper, number).is_file()
    ]


def _description(paper: str, number: str) -> Traversable:
    folder = papers()[paper].descriptions
    assert folder is not None  # noqa: S101 - all of `papers()` have a folder
    return folder / f"table{number}.toml"


def find_table(name: str) -> PaperTable:
    """Read the table called `PAPER:tableN`.

    Raises:
        UsageError: there is no table of this name.
        DataError: its description is wrong, or its rows are not the printed ones.
    """
    if name not in table_names():
        raise unknown("table", name, table_names())
    paper, _, number = name.partition(":table")
    file = _description(paper, number)
    table = read_table(file.read_text(encoding="utf-8"), paper, number, str(file))
    check_rows(table)
    return table


def read_table(text: str, paper: str, number: str, source: str) -> PaperTable:
    """Parse the description of a table from TOML; `source` is its file's name, for messages.

    Raises:
        DataError: it is not TOML, or a field is missing, unknown or wrong.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    fields = Fields(content, source)
    targets, defaults = fields.texts("targets"), fields.take("defaults", {})
    rows, switches = fields.take("rows"), fields.take("switches", {})
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(defaults, dict):
        raise fields.wrong("rows", "must be a list of tables, and 'defaults' a table")
    fields.done()
    parts = Fields(switches, f"{source}: switches")
    conditions = {name: parts.texts(name) for name in parts.rest()}
    described = [_row(Fields({**defaults, **row}, f"{source}: rows[{index}]")) for index, row in enumerate(rows)]
    return PaperTable(paper, number, targets, tuple(described), source, conditions)


def check_rows(table: PaperTable) -> None:
    """Check that every printed row is described once, and that no other row is described.

    Raises:
        DataError: a row is missing, described twice or not printed.
    """
    printed = table.published()
    wanted = set(zip(printed["entry"], printed["shots"], strict=True))
    described = [(row.label, "full" if row.shots < 0 else str(row.shots)) for row in table.rows]
    for label, shots in described:
        if (label, shots) not in wanted:
            raise DataError(f"{table.source}: row '{label}' with {shots} shots is not among the printed ones")
        if described.count((label, shots)) > 1:
            raise DataError(f"{table.source}: row '{label}' with {shots} shots is described twice")
    for label, shots in wanted - set(described):
        raise DataError(f"{table.source}: the printed row '{label}' with {shots} shots is not described")


@cache
def _published() -> pd.DataFrame:
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
    shots = fields.take("shots", 0)
    return -1 if shots == "full" else fields.whole("shots", 0)


def _wholes(fields: Fields, field: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
    value = fields.take(field, None if default is None else list(default))
    if not isinstance(value, list) or not value or any(type(number) is not int or number < 0 for number in value):
        raise fields.wrong(field, f"must be a list of whole numbers, not {value!r}")
    return tuple(value)


def _names(value: object, fields: Fields) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
        raise fields.wrong("aux", f"must map targets to auxiliary sets, not {value!r}")
    return dict(value)


def _epochs(value: object, fields: Fields) -> dict[str, int]:
    if not isinstance(value, dict) or not all(type(count) is int and count > 0 for count in value.values()):
        raise fields.wrong("epochs", f"must map auxiliary sets to epochs, not {value!r}")
    return dict(value)
