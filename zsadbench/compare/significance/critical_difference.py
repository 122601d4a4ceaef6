"""Friedman's test and Nemenyi's critical difference over data sets: an extra beside the pairwise tests.

Source: J. Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), section 3.2.2.

Methods are ranked on every data set: 1 is best, and those printed alike share the mean of their ranks. Friedman's
test asks whether mean ranks differ by more than chance. Two mean ranks that lie at least one critical difference
apart, q(alpha, methods) · √(methods (methods + 1) / (6 sets)), belong to different methods. q is the studentised
range with infinitely many degrees of freedom over √2. With 10 methods and 16 sets it takes 3.4 ranks: this sees
less than the tests of `significance`.

Fewer than six data sets or three methods are not tested. Where Friedman's test finds no difference, no two methods
are told apart, whatever their ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from zsadbench.compare.frame import printed
from zsadbench.compare.significance.differences import FEWEST, LEVEL

FEWEST_METHODS = 3


@dataclass(frozen=True)
class CriticalDifference:
    """`ranks` are the mean ranks over `sets` data sets, best first; `cliques` are methods that are not told apart.

    `p` is Friedman's, `distance` Nemenyi's critical difference in ranks at the level `alpha`; both are None, and
    `reason` says why, where there is no test.
    """

    ranks: Mapping[str, float]
    sets: int
    alpha: float
    p: float | None
    distance: float | None
    cliques: tuple[tuple[str, ...], ...]
    reason: str = ""


def critical_difference(values: pd.DataFrame, alpha: float = LEVEL) -> CriticalDifference:
    """Rank the methods (columns) of `values` over its data sets (rows); values are fractions, larger is better.

    Raises:
        ValueError: a value is missing, there is none, or `alpha` is not between 0 and 1.
    """
    if values.empty or values.isna().to_numpy().any():
        raise ValueError("every method needs a value on every data set")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must lie between 0 and 1")
    places = values.map(printed).rank(axis=1, ascending=False)
    ranks = {str(name): float(rank) for name, rank in places.mean().sort_values(kind="stable").items()}
    sets, methods = values.shape
    reason = _no_test(sets, methods)
    if reason:
        return CriticalDifference(ranks, sets, alpha, None, None, (), reason)
    p, distance = _friedman(places), nemenyi(methods, sets, alpha)
    cliques = tuple(_cliques(ranks, distance)) if p < alpha else (tuple(ranks),)
    return CriticalDifference(ranks, sets, alpha, p, distance, cliques)


def _no_test(sets: int, methods: int) -> str:
    if methods < FEWEST_METHODS:
        return f"{methods} methods: the test needs {FEWEST_METHODS}"
    return f"{sets} data sets: the test needs {FEWEST}" if sets < FEWEST else ""


def _friedman(places: pd.DataFrame) -> float:
    """Friedman's p of ranks (sets, methods), ties corrected; 1 where all methods tie on every set."""
    from scipy.stats import friedmanchisquare

    columns = places.to_numpy().T
    return 1.0 if (columns == columns[0]).all() else float(friedmanchisquare(*columns).pvalue)


@cache
def nemenyi(methods: int, sets: int, alpha: float = LEVEL) -> float:
    """The critical difference of mean ranks.

    >>> round(nemenyi(10, 16), 1)
    3.4
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.isf(alpha, methods, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * sets))


def _cliques(ranks: Mapping[str, float], distance: float) -> Iterator[tuple[str, ...]]:
    """The longest runs of neighbours in rank, two at least, whose ends lie less than `distance` apart."""
    names, end = list(ranks), 0
    for start, first in enumerate(names):
        last = max(place for place, name in enumerate(names) if ranks[name] - ranks[first] < distance)
        if last > max(start, end - 1):
            yield tuple(names[start : last + 1])
        end = max(end, last + 1)
