"""Means over seeds and data sets, marks of best and second best, average ranks.

Every function takes the entries of one comparability group. Means over data sets and ranks use only the data sets that
all entries have (`common_targets`). Numbers tie when they are printed alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.frame import printed

Key = tuple[str, str, str, str]  # entry, target, class, metric


class Score(NamedTuple):
    """A mean over seeds.

    Attributes:
        value: the mean, a fraction; None where it is undefined.
        spread: the standard deviation over seeds, with n - 1 in the denominator; None for one seed.
        seeds: the number of seeds.
        comparable: whether all records behind it are comparable.
        reason: why `value` is None; empty otherwise.
        classes: `3 of 15 classes` for the mean of a part of a data set; empty for all of it.
    """

    value: float | None
    spread: float | None
    seeds: int
    comparable: bool
    reason: str
    classes: str = ""


def over_seeds(frame: pd.DataFrame) -> dict[Key, Score]:
    """Average the measured rows of one comparability group over seeds: by entry, target, class and metric."""
    groups: dict[Key, list[tuple[float, bool, str, str]]] = {}
    frame = frame if "classes" in frame else frame.assign(classes="")
    keys = zip(*(frame[name] for name in ("entry", "target", "class", "metric")), strict=True)
    rows = zip(*(frame[name] for name in ("value", "comparable", "reason", "classes")), strict=True)
    for key, row in zip(keys, rows, strict=True):
        groups.setdefault(key, []).append(row)
    return {key: _score(same) for key, same in groups.items()}


def _score(rows: Sequence[tuple[float, bool, str, str]]) -> Score:
    """The mean of `(value, comparable, reason, classes)` over seeds; undefined where it is so for any seed."""
    values = [None if math.isnan(value) else float(value) for value, *_ in rows]
    defined = [value for value in values if value is not None]
    comparable = all(bool(row_comparable) for _, row_comparable, *_ in rows)
    reasons = [reason for _, _, reason, _ in rows if reason]
    classes = next((text for *_, text in rows if text), "")
    if len(defined) < len(values):
        return Score(None, None, len(values), comparable, reasons[0] if reasons else "undefined", classes)
    mean = sum(defined) / len(defined)
    squares = sum((value - mean) ** 2 for value in defined)
    spread = math.sqrt(squares / (len(defined) - 1)) if len(defined) > 1 else None
    return Score(mean, spread, len(defined), comparable, "", classes)


def marks(values: Mapping[str, float | None], decimals: int = 1) -> dict[str, str]:
    """Mark the entries with the largest printed number as `best`, those with the next smaller one as `second`.

    Fewer than two entries with a number get no marks.

    >>> marks({"a": 0.9241, "b": 0.9239, "c": 0.91, "d": None})
    {'a': 'best', 'b': 'best', 'c': 'second'}
    """
    shown = {entry: printed(value, decimals) for entry, value in values.items() if value is not None}
    if len(shown) < 2:
        return {}
    two_largest = sorted(set(shown.values()), reverse=True)[:2]
    mark_of = dict(zip(two_largest, ("best", "second"), strict=False))
    return {entry: mark_of[value] for entry, value in shown.items() if value in mark_of}


def common_targets(
    scores: Mapping[Key, Score], entries: Sequence[str], targets: Iterable[str], metrics: Sequence[str]
) -> list[str]:
    """The targets whose mean over classes is defined and comparable for every entry and metric."""

    def is_common(target: str) -> bool:
        of_target = [scores.get((entry, target, "mean", metric)) for entry in entries for metric in metrics]
        return all(score is not None and score.comparable and score.value is not None for score in of_target)

    return [target for target in targets if is_common(target)]


def target_means(
    scores: Mapping[Key, Score], entries: Sequence[str], targets: Sequence[str], metric: str
) -> dict[str, float | None]:
    """Unweighted mean of each entry over `targets`, which `common_targets` selects; None without targets."""
    sums = {entry: sum(_value(scores, entry, target, metric) for target in targets) for entry in entries}
    return {entry: total / len(targets) if targets else None for entry, total in sums.items()}


def average_ranks(
    scores: Mapping[Key, Score], entries: Sequence[str], targets: Sequence[str], metric: str, decimals: int = 1
) -> dict[str, float | None]:
    """Mean rank of each entry over `targets`: 1 is best; entries printed alike share the mean of their ranks."""
    columns = [
        {entry: printed(_value(scores, entry, target, metric), decimals) for entry in entries} for target in targets
    ]
    ranks = [pd.Series(column).rank(ascending=False, method="average") for column in columns]
    return {entry: sum(float(rank[entry]) for rank in ranks) / len(ranks) if ranks else None for entry in entries}


def _value(scores: Mapping[Key, Score], entry: str, target: str, metric: str) -> float:
    value = scores[entry, target, "mean", metric].value
    assert value is not None  # noqa: S101 - only called for common targets
    return value
