"""Friedman's test and Nemenyi's critical difference over data sets, in addition to the pairwise tests.

Source: J. Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), section 3.2.2.

Methods are ranked on every data set: 1 is best, and methods printed alike share the mean of their ranks. Friedman's
test is whether the mean ranks differ by more than chance. Two methods differ when their mean ranks differ by at least
the critical difference q(alpha, methods) · √(methods (methods + 1) / (6 sets)), where q is the studentised range with
infinitely many degrees of freedom divided by √2. For 10 methods and 16 sets the critical difference is 3.4 ranks: the
test detects fewer differences than the pairwise tests of `differences`.

There is no test for fewer than six data sets or three methods. Where Friedman's test finds no difference, no two
methods are told apart, however much their ranks differ.
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
    """Mean ranks, Friedman's test and Nemenyi's critical difference.

    Attributes:
        ranks: the mean rank of each method over the data sets, best first.
        sets: the number of data sets.
        alpha: the level of the test.
        p: Friedman's p; None without a test.
        distance: the critical difference in ranks; None without a test.
        cliques: groups of methods that are not told apart.
        reason: why there is no test; empty with one.
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
    ranks_by_set = values.map(printed).rank(axis=1, ascending=False)
    ranks = {str(name): float(rank) for name, rank in ranks_by_set.mean().sort_values(kind="stable").items()}
    sets, methods = values.shape
    reason = _no_test(sets, methods)
    if reason:
        return CriticalDifference(ranks, sets, alpha, None, None, (), reason)
    p, distance = _friedman(ranks_by_set), nemenyi(methods, sets, alpha)
    cliques = tuple(_cliques(ranks, distance)) if p < alpha else (tuple(ranks),)
    return CriticalDifference(ranks, sets, alpha, p, distance, cliques)


def _no_test(sets: int, methods: int) -> str:
    if methods < FEWEST_METHODS:
        return f"{methods} methods: the test needs {FEWEST_METHODS}"
    return f"{sets} data sets: the test needs {FEWEST}" if sets < FEWEST else ""


def _friedman(ranks: pd.DataFrame) -> float:
    """Friedman's p of ranks (sets, methods), corrected for ties; 1 where all methods tie on every set."""
    from scipy.stats import friedmanchisquare

    columns = ranks.to_numpy().T
    return 1.0 if (columns == columns[0]).all() else float(friedmanchisquare(*columns).pvalue)


@cache
def nemenyi(methods: int, sets: int, alpha: float = LEVEL) -> float:
    """The critical difference of mean ranks at the level `alpha`.

    >>> round(nemenyi(10, 16), 1)
    3.4
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.isf(alpha, methods, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * sets))


def _cliques(ranks: Mapping[str, float], distance: float) -> Iterator[tuple[str, ...]]:
    """The largest groups of at least two methods, neighbours in rank, whose ranks differ by less than `distance`."""
    names, end = list(ranks), 0
    for start, first in enumerate(names):
        last = max(index for index, name in enumerate(names) if ranks[name] - ranks[first] < distance)
        if last > max(start, end - 1):
            yield tuple(names[start : last + 1])
        end = max(end, last + 1)
