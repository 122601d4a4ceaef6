"""The one fact that carries every metric: how many normal scores lie above and at each anomalous one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics._arguments import Floats


class Counts(NamedTuple):
    """For each distinct anomalous score, in ascending order, int64 counts of shape (distinct,).

    `anomalous` and `equal` have exactly that score, `greater` normal ones a higher one; `normals`
    and `anomalies` are totals. Sums of products stay exact while 2 · normals · anomalies < 2⁶³.
    """

    anomalous: NDArray[np.int64]
    greater: NDArray[np.int64]
    equal: NDArray[np.int64]
    normals: int
    anomalies: int

    @property
    def defined(self) -> bool:
        """Whether there is something to rank."""
        return self.normals > 0 and self.anomalies > 0

    @property
    def detected(self) -> NDArray[np.int64]:
        """Anomalous scores at or above each distinct one: the true positives of that threshold."""
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
    return count_sorted(np.sort(normal), np.sort(anomalous))


def count_sorted(normal: Floats, anomalous: Floats) -> Counts:
    """Count scores that ascend already."""
    first = np.flatnonzero(np.concatenate([[True], anomalous[1:] != anomalous[:-1]])[: anomalous.size])
    distinct = anomalous[first]
    below = np.searchsorted(normal, distinct, side="left")
    up_to = np.searchsorted(normal, distinct, side="right")
    repeats = np.diff(first, append=anomalous.size)
    return Counts(repeats, normal.size - up_to, up_to - below, normal.size, anomalous.size)
