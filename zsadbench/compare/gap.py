"""How far measured numbers are from published ones, and where papers contradict each other.

A measured mean over seeds *agrees* with a published number when both differ by at most the larger of 0.3 points
and two standard deviations over the seeds, or, with a published checkpoint, which leaves nothing to chance, by at
most 0.1; else it *drifts*. Where a field that decides the number differs, or nobody says what it was, the verdict is
*not comparable* and names the field.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.frame import MEASURED, UNKNOWN, is_cost
from zsadbench.compare.summary import Score, over_seeds

TOLERANCE, OFFICIAL_TOLERANCE, DEVIATIONS = 0.3, 0.1, 2.0  # points of percent; standard deviations
ROUNDING = 1e-9
FIELDS = {"protocol": "protocol", "aupro": "AUPRO variant", "split": "split", "backbone": "backbone"}
CELL = ["method", "variant", "target", "class", "shots"]


class Gap(NamedTuple):
    """One measured number beside one published number; fractions. `because` names what keeps them apart."""

    entry: str
    target: str
    class_name: str
    metric: str
    measured: Score
    published: float
    paper: str
    table: str
    verdict: str
    because: str

    @property
    def points(self) -> float | None:
        """Measured minus published, in points of percent."""
        return None if self.measured.value is None else 100 * (self.measured.value - self.published)


def gaps(frame: pd.DataFrame) -> list[Gap]:
    """Every measured number of a method beside each number published of it for the same target, class and shots."""
    ours = frame[frame["source"] == MEASURED]
    theirs = frame[(frame["source"] != MEASURED) & (frame["variant"] == "") & ~frame["metric"].map(is_cost)]
    theirs = theirs.assign(asked=theirs["metric"].replace("pixel_aupro_unknown", "pixel_aupro"))
    found = []
    for (_, _, _, entry), rows in ours.groupby(["protocol", "digest", "backbone", "entry"], sort=False):
        scores = over_seeds(rows)
        wanted = ["target", "class", "metric"]
        first = rows.drop_duplicates(wanted)
        keys = ["method", "target", "class", "shots"]
        pairs = first.merge(theirs, left_on=[*keys, "metric"], right_on=[*keys, "asked"], suffixes=("", "_published"))
        found += [
            _gap(pair, scores[str(entry), pair["target"], pair["class"], pair["metric"]])
            for _, pair in pairs.iterrows()
        ]
    return found


def _gap(pair: pd.Series, score: Score) -> Gap:
    published = float(pair["value_published"])
    because = _apart(pair, score)
    verdict = "not comparable" if because else _verdict(score, published, official=bool(pair["official"]))
    place = (pair["entry"], pair["target"], pair["class"], pair["metric"])
    return Gap(*place, score, published, pair["source_published"], pair["table_published"], verdict, because)


def _apart(pair: pd.Series, score: Score) -> str:
    """The first thing that keeps two numbers apart; empty when nothing does."""
    if score.value is None:
        return f"not measured: {score.reason}"
    if not score.comparable:
        return str(pair["note"])
    if pair["variant"]:
        return f"options: {pair['variant']}, not the published ones"
    for field, name in FIELDS.items():
        ours, theirs = pair[field], pair[f"{field}_published"]
        if theirs == UNKNOWN:
            return f"{name} of the published number is unknown"
        if ours != theirs:
            return f"{name}: {ours}, published with {theirs}"
    return ""


def _verdict(score: Score, published: float, *, official: bool) -> str:
    assert score.value is not None  # noqa: S101 - an undefined score is not comparable
    allowed = OFFICIAL_TOLERANCE if official else max(TOLERANCE, DEVIATIONS * 100 * (score.spread or 0.0))
    return "agrees" if abs(100 * (score.value - published)) <= allowed + ROUNDING else "drifts"


class Conflict(NamedTuple):
    """One quantity for which papers print different numbers: `(paper, table, number)`."""

    method: str
    target: str
    class_name: str
    shots: str
    metric: str
    numbers: tuple[tuple[str, str, float], ...]


def conflicts(frame: pd.DataFrame) -> list[Conflict]:
    """Published numbers of one method, target, class and metric that differ between papers or tables.

    AUPRO numbers are put side by side whatever their variant: papers print them under one name.
    """
    rows = frame[(frame["source"] != MEASURED) & (frame["variant"] == "") & (frame["class"] != "")]
    rows = rows.assign(quantity=rows["metric"].str.replace(r"^pixel_aupro.*", "pixel_aupro", regex=True))
    # one method may stand in a table twice, with and without support images
    found = []
    for key, group in rows.groupby(["method", "target", "class", "shots", "quantity"], sort=False):
        numbers = tuple((row["source"], row["table"], float(row["value"])) for _, row in group.iterrows())
        if any(not math.isclose(value, numbers[0][2], abs_tol=1e-9) for _, _, value in numbers):
            found.append(Conflict(*map(str, key), numbers))  # type: ignore[call-arg, arg-type]
    return found
