"""The one fact that carries every metric: how many normal scores lie above and at each anomalous one."""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Bools, Floats

T = TypeVar("T", bound=np.generic)


class Counts(NamedTuple):
    """For each group of anomalous scores, in ascending order, int64 counts of shape (groups,).

    A group is one distinct score, or in a stream the scores of one bin. `anomalous` and `equal` count it,
    `greater` the normal scores above it; `normals` and `anomalies` are totals. `mixed` flags the groups
    whose scores may differ, of whose order nothing is known; None where there are none.
    """

    anomalous: NDArray[np.int64]
    greater: NDArray[np.int64]
    equal: NDArray[np.int64]
    normals: int
    anomalies: int
    mixed: Bools | None = None

    @property
    def defined(self) -> bool:
        """Whether there is something to rank."""
        return self.normals > 0 and self.anomalies > 0

    @property
    def detected(self) -> NDArray[np.int64]:
        """Anomalous scores in or above each group: the true positives of that threshold."""
        return self.anomalous[::-1].cumsum()[::-1]

    def missing(self, unit: str) -> str | None:
        """Why nothing can be ranked, None when it can; `unit` is "image" or "pixel"."""
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


def starts_of(ascending: NDArray[np.generic]) -> NDArray[np.int64]:
    """Where each distinct value of an ascending array starts."""
    return np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]])[: ascending.size])


def absent(ascending: NDArray[T], wanted: NDArray[T]) -> NDArray[T]:
    """Those of the wanted values that an ascending array does not have, ascending and distinct."""
    values = np.unique(wanted)
    if not ascending.size:
        return values
    places = np.minimum(np.searchsorted(ascending, values), ascending.size - 1)
    found: NDArray[T] = values[ascending[places] != values]
    return found


def summed_products(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """The sum of the products of counts, exactly, whatever their size."""
    if float(one.sum()) * float(other.max(initial=0)) < 2.0**62:
        return int((one * other).sum())
    return sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True))
