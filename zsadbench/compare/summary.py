"""Over seeds, data sets and domains: means with their spread, best and second, average ranks.

Nothing here looks across comparability groups: a caller passes the entries of one. Every mean and rank is taken
over the cells that all entries have, and comes with their number. Numbers tie when they are printed alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.frame import printed

Key = tuple[str, str, str, str]  # entry, target, class, metric


class Score(NamedTuple):
    """Mean over seeds, a fraction or None with its reason; `spread` is the standard deviation (n - 1) of several."""

    value: float | None
    spread: float | None
    seeds: int
    comparable: bool
    reason: str


def over_seeds(frame: pd.DataFrame) -> dict[Key, Score]:
    """The scores of measured rows of one comparability group, by entry, target, class and metric."""
    found: dict[Key, list[tuple[float, bool, str]]] = {}
    keys = zip(*(frame[name] for name in ("entry", "target", "class", "metric")), strict=True)
    rows = zip(*(frame[name] for name in ("value", "comparable", "reason")), strict=True)
    for key, row in zip(keys, rows, strict=True):
        found.setdefault(key, []).append(row)
    return {key: _score(same) for key, same in found.items()}


def _score(rows: Sequence[tuple[float, bool, str]]) -> Score:
    """A score is undefined as soon as it is in one seed: a mean over other seeds would be another quantity."""
    values = [None if math.isnan(value) else float(value) for value, _, _ in rows]
    defined = [value for value in values if value is not None]
    comparable, reasons = all(bool(one) for _, one, _ in rows), [reason for _, _, reason in rows if reason]
    if len(defined) < len(values):
        return Score(None, None, len(values), comparable, reasons[0] if reasons else "undefined")
    mean = sum(defined) / len(defined)
    squares = sum((value - mean) ** 2 for value in defined)
    spread = math.sqrt(squares / (len(defined) - 1)) if len(defined) > 1 else None
    return Score(mean, spread, len(defined), comparable, "")


def marks(values: Mapping[str, float | None]) -> dict[str, str]:
    """`best` for every entry that prints the largest number, `second` for all that print the next smaller one.

    Fewer than two entries with a number are no comparison and get no mark.

    >>> marks({"a": 0.9241, "b": 0.9239, "c": 0.91, "d": None})
    {'a': 'best', 'b': 'best', 'c': 'second'}
    """
    shown = {entry: printed(value) for entry, value in values.items() if value is not None}
    places = sorted(set(shown.values()), reverse=True)[:2]
    if len(shown) < 2:
        return {}
    names = dict(zip(places, ("best", "second"), strict=False))
    return {entry: names[value] for entry, value in shown.items() if value in names}


def common_targets(
    scores: Mapping[Key, Score], entries: Sequence[str], targets: Iterable[str], metrics: Sequence[str]
) -> list[str]:
    """The targets whose mean over classes is defined and comparable for every entry and metric."""

    def whole(target: str) -> bool:
        found = [scores.get((entry, target, "mean", metric)) for entry in entries for metric in metrics]
        return all(score is not None and score.comparable and score.value is not None for score in found)

    return [target for target in targets if whole(target)]


def target_means(
    scores: Mapping[Key, Score], entries: Sequence[str], targets: Sequence[str], metric: str
) -> dict[str, float | None]:
    """Unweighted mean over `targets` (as `common_targets` gives them) of each entry; None over none."""
    sums = {entry: sum(_value(scores, entry, target, metric) for target in targets) for entry in entries}
    return {entry: total / len(targets) if targets else None for entry, total in sums.items()}


def average_ranks(
    scores: Mapping[Key, Score], entries: Sequence[str], targets: Sequence[str], metric: str
) -> dict[str, float | None]:
    """Mean rank of each entry over `targets`: 1 is best, those printed alike share the mean of their ranks."""
    columns = [{entry: printed(_value(scores, entry, target, metric)) for entry in entries} for target in targets]
    ranks = [pd.Series(column).rank(ascending=False, method="average") for column in columns]
    return {entry: sum(float(rank[entry]) for rank in ranks) / len(ranks) if ranks else None for entry in entries}


def _value(scores: Mapping[Key, Score], entry: str, target: str, metric: str) -> float:
    value = scores[entry, target, "mean", metric].value
    assert value is not None  # noqa: S101 - only called for common targets
    return value
