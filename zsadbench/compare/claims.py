"""What a paper's text says of its tables, recomputed from the printed numbers: `zsadbench/papers/PAPER/claims.toml`.

A claim is data: the rule that recomputes it, and what was said. `top` counts the columns in which a row is among the
best places, `lead` is its distance to the second best or to another row, `mean` counts the columns of a table by class
whose printed mean is that of its classes, `same` counts the numbers of one row that another row repeats, `sets` counts
the data sets of a table. Numbers tie when they are printed alike.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS, printed
from zsadbench.compare.published import papers
from zsadbench.data.cards.fields import Fields
from zsadbench.errors import DataError

HALF_DIGIT = 0.05  # a number that is printed with one decimal may be so much off
ROUNDING = 1e-9
SECOND_BEST = "second best"


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper. `said` is its number; `of` out of how many, where it says so, else None.

    `entry`, `over` (another row), `other` (its table), `domain`, `target` and `metric` narrow down what the rule looks
    at; empty for everything. `places` is how many of the best count.
    """

    says: str
    where: str
    table: str
    rule: str
    said: float
    of: int | None = None
    entry: str = ""
    over: str = ""
    other: str = ""
    domain: str = ""
    target: str = ""
    metric: str = ""
    places: int = 1


class Outcome(NamedTuple):
    """A claim, what its tables give, and whether both are the same; `said` and `found` as words."""

    paper: str
    says: str
    where: str
    said: str
    found: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Found:
    """What a rule gives: its number, out of how many, and what speaks against the claim."""

    value: float
    of: int | None = None
    against: Sequence[str] = field(default_factory=tuple)


def papers_with_claims() -> list[str]:
    """The papers whose text has been read for claims."""
    return [paper for paper in papers() if _file(paper).is_file()]


def claims_of(paper: str) -> list[Claim]:
    """The claims of a paper.

    Raises:
        DataError: the file is wrong.
    """
    return read_claims(_file(paper).read_text(encoding="utf-8"), str(_file(paper)))


def read_claims(text: str, source: str) -> list[Claim]:
    """Read claims written as TOML; `source` is the file's name, for messages.

    Raises:
        DataError: it is no TOML, or a field is missing, unknown or wrong.
    """
    try:
        fields = Fields(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    claims = [_claim(one) for one in fields.tables("claims")]
    fields.done()
    return claims


def check_claims(paper: str, board: Board) -> list[Outcome]:
    """Every claim of a paper, recomputed from the published numbers of `board`.

    Raises:
        DataError: a claim names a row, a table or a column that was not printed.
    """
    return [_outcome(paper, claim, board) for claim in claims_of(paper)]


def _file(paper: str) -> Traversable:
    return files("zsadbench").joinpath(f"papers/{paper}/claims.toml")


def _claim(fields: Fields) -> Claim:
    claim = Claim(
        says=fields.text("says"),
        where=fields.text("where"),
        table=fields.text("table"),
        rule=fields.text("rule", among=RULES),
        said=_number(fields),
        of=fields.whole("of", 0) or None,
        entry=fields.text("entry", ""),
        over=fields.text("over", ""),
        other=fields.text("other", ""),
        domain=fields.text("domain", ""),
        target=fields.text("target", ""),
        metric=fields.text("metric", "", among=("", *HEADINGS)),
        places=fields.whole("places", 1),
    )
    fields.done()
    return claim


def _number(fields: Fields) -> float:
    said = fields.take("said")
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise fields.wrong("said", f"must be a number, not {said!r}")
    return float(said)


def _outcome(paper: str, claim: Claim, board: Board) -> Outcome:
    found = RULES[claim.rule](_Printed(paper, board), claim)
    near = HALF_DIGIT if claim.rule == "lead" else ROUNDING
    holds = abs(found.value - claim.said) < near and found.of == claim.of
    said, shown = _words(claim.said, claim.of), _words(found.value, found.of)
    return Outcome(paper, claim.says, claim.where, said, shown, holds, "; ".join(found.against))


def _words(value: float, of: int | None) -> str:
    """A number as it is said.

    >>> _words(14, 18), _words(2.1, None), _words(10, None)
    ('14 of 18', '2.1', '10')
    """
    return f"{round(value, 1):g}" + (f" of {of}" if of is not None else "")


@dataclass(frozen=True)
class _Printed:
    """The tables of one paper."""

    paper: str
    board: Board

    def rows(self, claim: Claim, table: str, entry: str = "") -> pd.DataFrame:
        """The accuracies of a table, or of one of its rows, that the claim is about; AUPRO under one name.

        Raises:
            DataError: there are none.
        """
        frame = self.board.published
        frame = frame[(frame["source"] == self.paper) & (frame["table"] == table) & (frame["target"] != "")]
        if claim.domain:
            frame = frame[frame["target"].map(lambda name: self.board.dataset(name).domain) == claim.domain]
        for column, wanted in (("target", claim.target), ("metric", claim.metric), ("entry", entry)):
            frame = frame[frame[column] == wanted] if wanted else frame
        if frame.empty:
            raise DataError(f"a claim of {self.paper}, '{claim.says}', names what Table {table} does not have")
        aupro = frame["metric"].str.startswith("pixel_aupro")
        return frame.assign(column=frame["target"] + " " + frame["metric"].mask(aupro, "pixel_aupro"))

    def values(self, claim: Claim, table: str, entry: str) -> dict[str, float]:
        """The numbers of one row, in percent, by column."""
        rows = self.rows(claim, table, entry)
        return {name: 100 * value for name, value in zip(rows["column"], rows["value"], strict=True)}


def _top(of: _Printed, claim: Claim) -> Found:
    own = of.values(claim, claim.table, claim.entry)
    columns = of.rows(claim, claim.table).groupby("column", sort=False)["value"]
    places = {str(name): sorted({printed(value) for value in values}, reverse=True) for name, values in columns}
    missed = [
        name for name in places if name not in own or printed(own[name] / 100) not in places[name][: claim.places]
    ]
    return Found(len(places) - len(missed), len(places), [f"not in {', '.join(missed)}"] if missed else [])


def _lead(of: _Printed, claim: Claim) -> Found:
    rows = of.rows(claim, claim.table)
    values = {entry: 100 * value for entry, value in zip(rows["entry"], rows["value"], strict=True)}
    if len(values) < len(rows) or claim.entry not in values:
        raise DataError(f"a claim of {of.paper}, '{claim.says}', must name one column and one of its rows")
    rivals = {entry: value for entry, value in values.items() if entry != claim.entry}
    rival = max(rivals, key=rivals.__getitem__) if claim.over == SECOND_BEST else claim.over
    if rival not in rivals:
        raise DataError(f"a claim of {of.paper}, '{claim.says}', names '{rival}', which Table {claim.table} has not")
    own, other = values[claim.entry], rivals[rival]
    return Found(round(own - other, 6), None, [f"{own:.1f}, {rival} has {other:.1f}"])


def _mean(of: _Printed, claim: Claim) -> Found:
    """A printed mean is right if classes that were rounded to one decimal can have it."""
    rows = of.rows(claim, claim.table)
    means = rows[rows["class"] == "mean"].set_index("column")["value"] * 100
    classes = rows[rows["class"] != "mean"].groupby("column", sort=False)["value"].mean() * 100
    apart = (means - classes).abs()
    wrong = apart[~(apart <= 2 * HALF_DIGIT + ROUNDING)].index
    against = [f"{name}: printed {means[name]:.1f}, the classes have {classes[name]:.2f}" for name in wrong]
    return Found(len(apart) - len(wrong), len(apart), against)


def _same(of: _Printed, claim: Claim) -> Found:
    own = of.values(claim, claim.table, claim.entry)
    theirs = of.values(claim, claim.other, claim.over)
    wrong = [name for name, value in own.items() if f"{value:.1f}" != _percent(theirs.get(name))]
    against = [f"{name}: {own[name]:.1f}, there {_percent(theirs.get(name))}" for name in wrong]
    return Found(len(own) - len(wrong), len(own), against)


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.1f}"


def _sets(of: _Printed, claim: Claim) -> Found:
    names = list(dict.fromkeys(of.rows(claim, claim.table)["target"]))
    return Found(len(names), None, [", ".join(names)])


RULES: Mapping[str, Callable[[_Printed, Claim], Found]] = {
    "top": _top,
    "lead": _lead,
    "mean": _mean,
    "same": _same,
    "sets": _sets,
}
