"""Differences between measured and published numbers, and between the numbers of several papers.

A measured mean over seeds *agrees* with a published number when both differ by at most the larger of 0.3 points and two
standard deviations over the seeds. With a published checkpoint, where nothing is trained, they may differ by at most
0.1 points. Otherwise it *drifts*. Where protocol, AUPRO variant, split, backbone or options differ, or are unknown for
the published number, the verdict is *not comparable* and names the field.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.frame import MEASURED, UNKNOWN, is_cost, set_of
from zsadbench.compare.summary import Score, over_seeds

TOLERANCE, OFFICIAL_TOLERANCE, DEVIATIONS = 0.3, 0.1, 2.0  # points of percent; standard deviations
ROUNDING = 1e-9
FIELDS = {"protocol": "protocol", "aupro": "AUPRO variant", "split": "split", "backbone": "backbone"}


class Gap(NamedTuple):
    """A measured number and a published one, as fractions.

    `verdict` is `agrees`, `drifts` or `not comparable`; `because` says why they are not comparable, and is else empty.
    `group` is protocol and backbone of the measured number.
    """

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
    group: str = ""

    @property
    def points(self) -> float | None:
        """Measured minus published, in points of percent."""
        return None if self.measured.value is None else 100 * (self.measured.value - self.published)


def gaps(frame: pd.DataFrame) -> list[Gap]:
    """Pair every measured number with each number published for the same method, target, class, metric and shots.

    A published AUPRO of unknown variant is paired with the exact AUPRO. `frame` is `Board.frame`.
    """
    ours = frame[frame["source"] == MEASURED]
    published = frame[(frame["source"] != MEASURED) & (frame["variant"] == "") & ~frame["metric"].map(is_cost)]
    published = published.assign(measured_as=published["metric"].replace("pixel_aupro_unknown", "pixel_aupro"))
    ours = ours.assign(set=[set_of(*each) for each in zip(ours["target"], ours["fingerprint"], strict=True)])
    published = published.assign(set=published["target"])
    keys = ["method", "set", "class", "shots"]
    results = []
    for (_, _, _, entry), rows in ours.groupby(["protocol", "digest", "backbone", "entry"], sort=False):
        scores = over_seeds(rows)
        first = rows.drop_duplicates(["target", "class", "metric"])
        pairs = first.merge(
            published, left_on=[*keys, "metric"], right_on=[*keys, "measured_as"], suffixes=("", "_published")
        )
        results += [
            _gap(pair, scores[str(entry), pair["target"], pair["class"], pair["metric"]])
            for _, pair in pairs.iterrows()
        ]
    return results


def _gap(pair: pd.Series, score: Score) -> Gap:
    published = float(pair["value_published"])
    because = _why_not_comparable(pair, score)
    verdict = "not comparable" if because else _verdict(score, published, official=bool(pair["official"]))
    key = (pair["entry"], pair["target"], pair["class"], pair["metric"])
    group = f"protocol {pair['protocol']} ({pair['digest']}), backbone {pair['backbone']}"
    return Gap(*key, score, published, pair["source_published"], pair["table_published"], verdict, because, group)


def _why_not_comparable(pair: pd.Series, score: Score) -> str:
    """The first reason why two numbers cannot be compared; empty when they can."""
    if score.value is None:
        return f"not measured: {score.reason}"
    if not score.comparable:
        return str(pair["note"])
    if pair["variant"]:
        return f"options: {pair['variant']}, not the published ones"
    for field, name in FIELDS.items():
        ours, published = pair[field], pair[f"{field}_published"]
        if published == UNKNOWN:
            return f"{name} of the published number is unknown"
        if ours != published:
            return f"{name}: {ours}, published with {published}"
    return ""


def _verdict(score: Score, published: float, *, official: bool) -> str:
    assert score.value is not None  # noqa: S101 - an undefined score is not comparable
    allowed = OFFICIAL_TOLERANCE if official else max(TOLERANCE, DEVIATIONS * 100 * (score.spread or 0.0))
    return "agrees" if abs(100 * (score.value - published)) <= allowed + ROUNDING else "drifts"


class Conflict(NamedTuple):
    """One quantity for which papers print different numbers; `numbers` are `(paper, table, fraction)`."""

    method: str
    target: str
    class_name: str
    shots: str
    metric: str
    numbers: tuple[tuple[str, str, float], ...]


def conflicts(frame: pd.DataFrame) -> list[Conflict]:
    """The methods, targets, classes and metrics for which papers or tables print different numbers.

    All variants of AUPRO count as one metric, because papers print them under one name. `frame` is `Board.frame`.
    """
    rows = frame[(frame["source"] != MEASURED) & (frame["variant"] == "") & (frame["class"] != "")]
    rows = rows.assign(quantity=rows["metric"].str.replace(r"^pixel_aupro.*", "pixel_aupro", regex=True))
    # grouped by shots, too: a table may have two rows of a method, with and without support images
    results = []
    for key, group in rows.groupby(["method", "target", "class", "shots", "quantity"], sort=False):
        numbers = tuple((row["source"], row["table"], float(row["value"])) for _, row in group.iterrows())
        if any(not math.isclose(value, numbers[0][2], abs_tol=1e-9) for _, _, value in numbers):
            results.append(Conflict(*map(str, key), numbers))  # type: ignore[call-arg, arg-type]
    return results
