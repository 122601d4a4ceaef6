"""Anomalous pixels in groups, with what each group weighs in regions: all that a pixel metric needs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Floats
from zsadbench.metrics.counting.counts import Counts


class Places(NamedTuple):
    """Where some scores lie: `at` is a group for each, of whose pixels none exceeds the score.

    Where `unknown`, some of its pixels may. All groups above `at` exceed the score, all groups below do not.
    """

    at: NDArray[np.int64]
    unknown: NDArray[np.bool_]


class Groups(NamedTuple):
    """Groups of anomalous pixels, in ascending order of their scores.

    `weight` (groups,) float64 belongs to the groups of `counts`: the fractions of regions in each. `least`
    (groups,) is the lowest score that a group may hold, and no group below holds one as high.
    """

    counts: Counts
    weight: NDArray[np.float64]
    least: Floats

    def anomalous_only(self) -> "Groups":
        """The groups that hold an anomalous pixel; the others add nothing to a metric."""
        counts, some = self.counts, self.counts.anomalous > 0
        if some.all():
            return self
        mixed = None if counts.mixed is None else counts.mixed[some]
        kept = (counts.anomalous[some], counts.greater[some], counts.equal[some])
        counts = Counts(*kept, counts.normals, counts.anomalies, mixed)
        return Groups(counts, self.weight[some], self.least[some])
