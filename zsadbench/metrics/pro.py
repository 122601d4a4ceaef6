"""AUPRO: how much of each anomalous region is found, at few false alarms.

Source: P. Bergmann et al., "The MVTec anomaly detection dataset", IJCV 129 (2021), section 5.

At a threshold, the per-region overlap (PRO) is the mean, over all regions of all images, of the
fraction of the region that is flagged: a small region weighs as much as a large one. It is drawn
against the false positive rate of all normal pixels, and the area up to `limit` is divided by `limit`.
Each anomalous score raises PRO along one straight piece, from the rate of the normal scores above it to
that of the scores at or above it, so the area is a sum with one term an anomalous pixel.

Every distinct score is a threshold (`>=`); the curve starts at (0, 0) and is cut at `limit` by a
straight line. Regions touch by edges and corners (`connectivity` 8) or by edges alone (4). Undefined
without a normal or without an anomalous pixel. What the pixels of a region weigh is summed in integers,
so no order of images changes the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Images, checked_limit
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.in_memory import groups_in_memory
from zsadbench.metrics.estimate import Estimate


def aupro(scores: Images, masks: Images, limit: float = 0.3, *, connectivity: int = 8) -> float | None:
    """Area under the per-region overlap curve up to a false positive rate, in [0, 1]; None when undefined.

    `scores` (n, height, width) floats; `masks` of the same shape: boolean, 0 and 1, or 0 and 255. A
    list of two-dimensional arrays serves images of different sizes. `limit` lies in (0, 1], `connectivity` is
    8 or 4.

    >>> scores = [[[0.9, 0.1, 0.2], [0.1, 0.1, 0.8]]]
    >>> masks = [[[1, 0, 0], [0, 0, 1]]]
    >>> aupro(scores, masks)
    1.0

    Raises:
        ValueError: shapes differ, a mask value cannot be right, a map has a NaN, or the limit is not
            in (0, 1], or the connectivity neither 4 nor 8.
    """
    limit = checked_limit(limit)
    groups = groups_in_memory(scores, masks, connectivity)
    return aupro_of(groups, limit) if groups.counts.defined else None


def aupro_of(groups: Groups, limit: float) -> float:
    """The area from groups of pixels, which must be defined; a mixed group is one straight piece."""
    allowed = limit * groups.counts.normals  # false alarms
    greater, equal = groups.counts.greater, groups.counts.equal
    return _area(groups, _areas_right_of(greater, equal, allowed), allowed)


def aupro_within(groups: Groups, limit: float) -> Estimate:
    """The area with its bounds: in a mixed group the anomalous pixels come before all normal ones, or after."""
    value, counts = aupro_of(groups, limit), groups.counts
    if counts.mixed is None:
        return Estimate.sure(value)
    allowed = limit * counts.normals
    first = _areas_right_of(counts.greater, counts.equal * ~counts.mixed, allowed)
    last = _areas_right_of(counts.greater + counts.equal * counts.mixed, counts.equal * ~counts.mixed, allowed)
    return Estimate.within(value, _area(groups, last, allowed), _area(groups, first, allowed))


def _area(groups: Groups, right_of: NDArray[np.float64], allowed: float) -> float:
    return min(float((groups.weight * right_of).sum() / (allowed * groups.weight.sum())), 1.0)


def _areas_right_of(greater: NDArray[np.int64], equal: NDArray[np.int64], allowed: float) -> NDArray[np.float64]:
    """For each group, the area under its ramp from 0 to 1, up to `allowed` false alarms."""
    room = np.maximum(allowed - greater, 0.0)
    whole = room - equal / 2
    cut = room**2 / (2 * np.maximum(equal, 1))
    areas: NDArray[np.float64] = np.where(equal <= room, whole, cut)
    return areas
