"""Statements in a paper's text about its tables, recomputed from the printed numbers.

`PAPER/claims.toml` (`compare.printed_papers`) lists them, each with the rule that recomputes it and the number in the
text.

- `top`: the number of columns in which a row is among the best `places` rows.
- `lead`: the difference between a row and the second best, or another row, in points of percent.
- `mean`: the number of columns of a table by class whose printed mean is the mean of its classes.
- `same`: the number of values of one row that another row repeats.
- `sets`: the number of data sets of a table.

Numbers tie when they are printed alike.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS, printed
from zsadbench.compare.printed_papers import papers
from zsadbench.data.cards.fields import Fields
from zsadbench.errors import DataError

HALF_DIGIT = 0.05  # the rounding error of a number that is printed with one decimal
ROUNDING = 1e-9
SECOND_BEST = "second best"


@dataclass(frozen=True)
class Claim:
    """One statement of a paper.

    Attributes:
        says: the sentence.
        where: where in the paper it is.
        table: the number of the table that it is about.
        rule: the name of the rule in `RULES` that recomputes it.
        said: its number.
        of: the total that the number is out of; None where the sentence names none.
        entry: the row that it is about.
        over: the row that it is compared with, for `lead` and `same`.
        other: the table of that row, for `same`.
        domain: `industrial` or `medical` to take data sets of this domain alone; empty for all.
        target: the only data set to take; empty for all.
        metric: the only metric to take; empty for all.
        places: how many of the best rows of a column count, for `top`.
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
    """A claim, its number (`said`) and the recomputed one (`found`), both as text, and whether they agree (`holds`)."""

    paper: str
    says: str
    where: str
    said: str
    found: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Recomputed:
    """The result of a rule: its number, the total that it is out of, and details such as the columns that disagree."""

    value: float
    of: int | None = None
    details: Sequence[str] = field(default_factory=tuple)


def papers_with_claims() -> list[str]:
    """The papers that have a file of claims."""
    return [paper for paper in papers() if _file(paper).is_file()]


def claims_of(paper: str) -> list[Claim]:
    """Read the claims of a paper.

    Raises:
        DataError: its file is not TOML, or a field is missing, unknown or wrong.
    """
    return read_claims(_file(paper).read_text(encoding="utf-8"), str(_file(paper)))


def read_claims(text: str, source: str) -> list[Claim]:
    """Parse claims from TOML; `source` is the file's name, for messages.

    Raises:
        DataError: it is not TOML, or a field is missing, unknown or wrong.
    """
    try:
        fields = Fields(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as failure:
        raise DataError(f"{source}: not TOML: {failure}") from failure
    claims = [_claim(claim_fields) for claim_fields in fields.tables("claims")]
    fields.done()
    return claims


def check_claims(paper: str, board: Board) -> list[Outcome]:
    """Recompute every claim of a paper from the published numbers of `board`.

    Raises:
        DataError: a claim names a row, a table or a column that the paper does not print.
    """
    return [_outcome(paper, claim, board) for claim in claims_of(paper)]


def _file(paper: str) -> Traversable:
    folder = papers()[paper].descriptions
    assert folder is not None  # noqa: S101 - all of `papers()` have a folder
    return folder / "claims.toml"


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
    recomputed = RULES[claim.rule](_PrintedNumbers(paper, board), claim)
    tolerance = HALF_DIGIT if claim.rule == "lead" else ROUNDING
    holds = abs(recomputed.value - claim.said) < tolerance and recomputed.of == claim.of
    said, found = _as_text(claim.said, claim.of), _as_text(recomputed.value, recomputed.of)
    return Outcome(paper, claim.says, claim.where, said, found, holds, "; ".join(recomputed.details))


def _as_text(value: float, of: int | None) -> str:
    """A number with its total, as a sentence says it.

    >>> _as_text(14, 18), _as_text(2.1, None), _as_text(10, None)
    ('14 of 18', '2.1', '10')
    """
    return f"{round(value, 1):g}" + (f" of {of}" if of is not None else "")


@dataclass(frozen=True)
class _PrintedNumbers:
    """The printed numbers of one paper."""

    paper: str
    board: Board

    def rows(self, claim: Claim, table: str, entry: str = "") -> pd.DataFrame:
        """The accuracies of a table, or of its row `entry`, that a claim is about.

        The column `column` of the result names data set and metric, every variant of AUPRO as `pixel_aupro`.

        Raises:
            DataError: there is none.
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
        """The numbers of one row in percent, by data set and metric."""
        rows = self.rows(claim, table, entry)
        return {name: 100 * value for name, value in zip(rows["column"], rows["value"], strict=True)}


def _top(numbers: _PrintedNumbers, claim: Claim) -> Recomputed:
    own = numbers.values(claim, claim.table, claim.entry)
    columns = numbers.rows(claim, claim.table).groupby("column", sort=False)["value"]
    ranked = {str(name): sorted({printed(value) for value in values}, reverse=True) for name, values in columns}
    missed = [
        name for name in ranked if name not in own or printed(own[name] / 100) not in ranked[name][: claim.places]
    ]
    return Recomputed(len(ranked) - len(missed), len(ranked), [f"not in {', '.join(missed)}"] if missed else [])


def _lead(numbers: _PrintedNumbers, claim: Claim) -> Recomputed:
    rows = numbers.rows(claim, claim.table)
    values = {entry: 100 * value for entry, value in zip(rows["entry"], rows["value"], strict=True)}
    if len(values) < len(rows) or claim.entry not in values:
        raise DataError(f"a claim of {numbers.paper}, '{claim.says}', must name one column and one of its rows")
    rivals = {entry: value for entry, value in values.items() if entry != claim.entry}
    rival = max(rivals, key=rivals.__getitem__) if claim.over == SECOND_BEST else claim.over
    if rival not in rivals:
        raise DataError(
            f"a claim of {numbers.paper}, '{claim.says}', names '{rival}', which Table {claim.table} does not have"
        )
    own, other = values[claim.entry], rivals[rival]
    return Recomputed(round(own - other, 6), None, [f"{own:.1f}, {rival} has {other:.1f}"])


def _mean(numbers: _PrintedNumbers, claim: Claim) -> Recomputed:
    """A printed mean is right if classes that were rounded to one decimal can have it."""
    rows = numbers.rows(claim, claim.table)
    means = rows[rows["class"] == "mean"].set_index("column")["value"] * 100
    classes = rows[rows["class"] != "mean"].groupby("column", sort=False)["value"].mean() * 100
    deviations = (means - classes).abs()
    wrong = deviations[~(deviations <= 2 * HALF_DIGIT + ROUNDING)].index
    details = [f"{name}: printed {means[name]:.1f}, the classes have {classes[name]:.2f}" for name in wrong]
    return Recomputed(len(deviations) - len(wrong), len(deviations), details)


def _same(numbers: _PrintedNumbers, claim: Claim) -> Recomputed:
    own = numbers.values(claim, claim.table, claim.entry)
    other = numbers.values(claim, claim.other, claim.over)
    wrong = [name for name, value in own.items() if f"{value:.1f}" != _percent(other.get(name))]
    details = [f"{name}: {own[name]:.1f}, there {_percent(other.get(name))}" for name in wrong]
    return Recomputed(len(own) - len(wrong), len(own), details)


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.1f}"


def _sets(numbers: _PrintedNumbers, claim: Claim) -> Recomputed:
    names = list(dict.fromkeys(numbers.rows(claim, claim.table)["target"]))
    return Recomputed(len(names), None, [", ".join(names)])


RULES: Mapping[str, Callable[[_PrintedNumbers, Claim], Recomputed]] = {
    "top": _top,
    "lead": _lead,
    "mean": _mean,
    "same": _same,
    "sets": _sets,
}
