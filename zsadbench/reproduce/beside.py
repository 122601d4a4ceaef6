"""Ours beside the printed number, cell by cell, with the verdict of `zsadbench.compare.gap`.

What stands in place of the paper's settings is never judged, nor is a row of which the paper leaves open what it ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.frame import METRIC_OF_AUPRO, is_cost
from zsadbench.compare.gap import gaps
from zsadbench.compare.measured import measured
from zsadbench.compare.summary import Score, over_seeds
from zsadbench.records import Record
from zsadbench.reproduce.costs import beside_costs
from zsadbench.reproduce.layout import Layout, Place

AGREES, DRIFTS, APART, NOT_RUN = "agrees", "drifts", "not comparable", "not run"
Records = Mapping[Path, Record]


class Beside(NamedTuple):
    """One printed number and ours. Accuracies are fractions; costs are in the unit that `metric` names.

    `measured` is None where there is no number of ours; `because` says why, or why both are not judged.
    """

    place: Place
    class_name: str
    metric: str
    published: float
    measured: float | None
    spread: float | None
    verdict: str
    because: str

    @property
    def difference(self) -> float | None:
        """Ours minus the printed number: in points of percent, or in the unit of a cost."""
        if self.measured is None:
            return None
        return (self.measured - self.published) * (1 if is_cost(self.metric) else 100)


def set_beside(layout: Layout, records: Sequence[tuple[Path, Record]]) -> list[Beside]:
    """Every printed number of the table's wanted columns, in the order of rows, targets and print."""
    known = dict(records)
    printed = layout.table.published()
    found: list[Beside] = []
    for place in layout.places:
        alike = printed[(printed["entry"] == place.row.label) & (printed["shots"] == _shots(place))]
        found += _accuracies(place, alike[alike["target"] == place.target], known)
    for place in _first_of_rows(layout.places):
        alike = printed[(printed["entry"] == place.row.label) & (printed["target"] == "")]
        found += [Beside(place, "", *cost) for cost in beside_costs(place, alike, _of(place, known))]
    return found


def _shots(place: Place) -> str:
    return "full" if place.row.shots < 0 else str(place.row.shots)


def _first_of_rows(places: Sequence[Place]) -> list[Place]:
    """The first place of every row: its records state the costs."""
    return list({(place.row.label, place.row.shots): place for place in reversed(places)}.values())[::-1]


def _of(place: Place, known: Records) -> list[tuple[Path, Record]]:
    return [(job.path, known[job.path]) for job in place.jobs if job.path in known]


def _accuracies(place: Place, printed: pd.DataFrame, known: Records) -> Iterator[Beside]:
    own = _of(place, known)
    ours = measured(own).assign(entry=place.row.label, variant="", target=place.target)
    scores = over_seeds(ours) if own else {}
    asked = printed["metric"].replace("pixel_aupro_unknown", METRIC_OF_AUPRO[place.row.aupro])
    theirs = printed.assign(metric=asked, variant="")
    judged = _judged(ours, theirs) if own and not place.changed and not place.row.uncertain else {}
    for class_name, metric, value in zip(theirs["class"], theirs["metric"], theirs["value"], strict=True):
        score = scores.get((place.row.label, place.target, class_name, metric))
        verdict, because = judged.get((class_name, metric)) or _unjudged(place, class_name, score)
        mean, spread = (score.value, score.spread) if score else (None, None)
        yield Beside(place, class_name, metric, float(value), mean, spread, verdict, because)


def _judged(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[tuple[str, str], tuple[str, str]]:
    """Class and metric → verdict and reason."""
    frame = pd.concat([ours, theirs], ignore_index=True)
    return {(one.class_name, one.metric): (one.verdict, one.because) for one in gaps(frame)}


def _unjudged(place: Place, class_name: str, score: Score | None) -> tuple[str, str]:
    if place.left_out:
        return NOT_RUN, place.left_out
    reasons = "; ".join(place.changed) or place.row.uncertain
    if score is not None:
        return APART, reasons
    if place.used != place.target and class_name != "mean":
        return APART, f"{place.used} has no such class"
    return NOT_RUN, "its run failed"
