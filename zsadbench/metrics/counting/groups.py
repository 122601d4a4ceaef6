"""Groups of anomalous pixels with their counts and region weights: the input of every pixel metric."""

from typing import NamedTuple

from zsadbench.metrics.counting.arrays import Bools, Float64s, Floats, Int64s
from zsadbench.metrics.counting.counts import Counts


class ThresholdPositions(NamedTuple):
    """The group in which each threshold lies, (thresholds,).

    All groups above `group` exceed the threshold, all groups below do not. Of the pixels of the group itself none
    exceeds the threshold, unless `uncertain`: then some of them may.
    """

    group: Int64s
    uncertain: Bools


class Groups(NamedTuple):
    """Groups of pixels in ascending order of their scores.

    `weight` (groups,) float64 is the sum of region fractions in each group of `counts`. `least` (groups,) is the lowest
    score that a group may hold; all scores of the groups below are lower.
    """

    counts: Counts
    weight: Float64s
    least: Floats

    def anomalous_only(self) -> "Groups":
        """Return the groups that hold an anomalous pixel; the others add nothing to a metric."""
        counts, anomalous = self.counts, self.counts.anomalous > 0
        if anomalous.all():
            return self
        mixed = None if counts.mixed is None else counts.mixed[anomalous]
        columns = (counts.anomalous[anomalous], counts.greater[anomalous], counts.equal[anomalous])
        kept = Counts(*columns, counts.normals, counts.anomalies, mixed)
        return Groups(kept, self.weight[anomalous], self.least[anomalous])
