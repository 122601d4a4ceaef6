"""Counts that determine every rank metric: normal scores above, and equal to, each distinct anomalous score."""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Bools, Floats, Int64s

T = TypeVar("T", bound=np.generic)


class Counts(NamedTuple):
    """Counts per group of anomalous scores, groups in ascending order: int64 arrays of shape (groups,).

    A group is one distinct score, or in a stream the scores of one bin. `anomalous` and `equal` are the numbers of
    anomalous and of normal scores in the group, `greater` is the number of normal scores above it; `normals` and
    `anomalies` are totals. `mixed` flags groups that may hold different scores, whose order is then unknown; None
    where there is no such group.
    """

    anomalous: Int64s
    greater: Int64s
    equal: Int64s
    normals: int
    anomalies: int
    mixed: Bools | None = None

    @property
    def defined(self) -> bool:
        """Whether there are normal and anomalous scores, so that a ranking exists."""
        return self.normals > 0 and self.anomalies > 0

    @property
    def detected(self) -> Int64s:
        """True positives when the threshold is the group: anomalous scores in it or above it."""
        return self.anomalous[::-1].cumsum()[::-1]

    def undefined_reason(self, unit: str) -> str | None:
        """Return why a ranking is undefined, None if it is defined; `unit` is "image" or "pixel"."""
        if self.defined:
            return None
        if not self.normals and not self.anomalies:
            return f"no {unit}"
        return f"no normal {unit}" if not self.normals else f"no anomalous {unit}"


def count(normal: Floats, anomalous: Floats) -> Counts:
    """Count one-dimensional scores in any order; neither array is changed."""
    normal, anomalous = np.sort(normal), np.sort(anomalous)
    first = starts_of(anomalous)
    distinct = anomalous[first]
    below = np.searchsorted(normal, distinct, side="left")
    up_to = np.searchsorted(normal, distinct, side="right")
    repeats = np.diff(first, append=anomalous.size)
    return Counts(repeats, normal.size - up_to, up_to - below, normal.size, anomalous.size)


def starts_of(ascending: NDArray[np.generic]) -> Int64s:
    """Return the index at which each distinct value of an ascending array starts."""
    return np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]])[: ascending.size])


def missing_values(ascending: NDArray[T], wanted: NDArray[T]) -> NDArray[T]:
    """Return the wanted values that an ascending array does not contain, ascending and distinct."""
    distinct = np.unique(wanted)
    if not ascending.size:
        return distinct
    positions = np.minimum(np.searchsorted(ascending, distinct), ascending.size - 1)
    missing: NDArray[T] = distinct[ascending[positions] != distinct]
    return missing


def sum_of_products(first: Int64s, second: Int64s) -> int:
    """Return the exact sum of the products of two arrays of counts, also beyond 64 bits."""
    if float(first.sum()) * float(second.max(initial=0)) < 2.0**62:
        return int((first * second).sum())
    return sum(a * b for a, b in zip(first.tolist(), second.tolist(), strict=True))
