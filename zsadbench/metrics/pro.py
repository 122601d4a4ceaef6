"""AUPRO: the mean fraction of each anomalous region that is detected, at low false positive rates.

Source: P. Bergmann et al., "The MVTec anomaly detection dataset", IJCV 129 (2021), section 5.

At a threshold, the per-region overlap (PRO) is the mean, over all regions of all images, of the fraction of the region
that is flagged: a small region weighs as much as a large one. The curve plots it against the false positive rate of all
normal pixels, and the area up to `limit` is divided by `limit`. Each anomalous score raises PRO along one straight
segment, from the rate of the normal scores above it to that of the scores at or above it, so the area is a sum with one
term per anomalous pixel.

Every distinct score is a threshold (`>=`). The curve starts at (0, 0). At `limit` it is interpolated linearly between
the last threshold within the limit and the next one (`_areas_up_to`). Regions are connected by edges and corners
(`connectivity` 8) or by edges alone (4). Undefined without a normal or without an anomalous pixel. Region weights of
pixels are summed in integers, so the order of images does not change the last bit.
"""

import numpy as np

from zsadbench.metrics.counting.arguments import checked_limit
from zsadbench.metrics.counting.arrays import Float64s, Images, Int64s
from zsadbench.metrics.counting.exact import groups_in_memory
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.estimate import Estimate


def aupro(scores: Images, masks: Images, limit: float = 0.3, *, connectivity: int = 8) -> float | None:
    """Area under the per-region overlap curve up to a false positive rate limit, in [0, 1]; None if undefined.

    `scores` (n, height, width) floats; `masks` of the same shape: boolean, 0 and 1, or 0 and 255. Images of different
    sizes are given as lists of two-dimensional arrays. `limit`, in (0, 1], divides the area; the curve is
    interpolated linearly there. `connectivity` is 8 or 4.

    >>> scores = [[[0.9, 0.1, 0.2], [0.1, 0.1, 0.8]]]
    >>> masks = [[[1, 0, 0], [0, 0, 1]]]
    >>> aupro(scores, masks)
    1.0

    Raises:
        ValueError: shapes differ, a mask value is invalid, a map has a NaN, the limit is not in (0, 1], or the
            connectivity is neither 4 nor 8.
    """
    limit = checked_limit(limit)
    groups = groups_in_memory(scores, masks, connectivity)
    return aupro_of(groups, limit) if groups.counts.defined else None


def aupro_of(groups: Groups, limit: float) -> float:
    """Compute AUPRO from groups of pixels, which must be defined; a mixed group is one straight segment."""
    allowed = limit * groups.counts.normals  # false positives
    return _aupro(groups, _areas_up_to(allowed, groups.counts.greater, groups.counts.equal), allowed)


def aupro_within(groups: Groups, limit: float) -> Estimate:
    """Compute AUPRO with bounds: in a mixed group all anomalous pixels may score above the normal ones, or below."""
    value, counts = aupro_of(groups, limit), groups.counts
    if counts.mixed is None:
        return Estimate.sure(value)
    allowed = limit * counts.normals
    above = _areas_up_to(allowed, counts.greater, counts.equal * ~counts.mixed)
    below = _areas_up_to(allowed, counts.greater + counts.equal * counts.mixed, counts.equal * ~counts.mixed)
    return Estimate.within(value, _aupro(groups, below, allowed), _aupro(groups, above, allowed))


def _aupro(groups: Groups, areas: Float64s, allowed: float) -> float:
    return min(float((groups.weight * areas).sum() / (allowed * groups.weight.sum())), 1.0)


def _areas_up_to(allowed: float, greater: Int64s, equal: Int64s) -> Float64s:
    """Area that each group adds, as a region of weight 1, between 0 and `allowed` false positives.

    The overlap rises in a straight line from 0 at `greater` false positives to 1 at `greater` + `equal`, and stays 1. A
    line that crosses the limit is cut there: this is the linear interpolation of the curve.
    """
    room = np.maximum(allowed - greater, 0.0)
    whole = room - equal / 2
    cut = room**2 / (2 * np.maximum(equal, 1))
    areas: Float64s = np.where(equal <= room, whole, cut)
    return areas
