"""AUPRO: how much of each anomalous region is found, at few false alarms.

Source: P. Bergmann et al., "The MVTec anomaly detection dataset", IJCV 129 (2021), section 5.

At a threshold, the per-region overlap (PRO) is the mean, over all regions of all images, of the
fraction of the region that is flagged: a small region weighs as much as a large one. It is drawn
against the false positive rate of all normal pixels, and the area up to `limit` is divided by `limit`.
Each anomalous score raises PRO along one straight piece, from the rate of the normal scores above it to
that of the scores at or above it, so the area is a sum with one term an anomalous pixel.

Every distinct score is a threshold (`>=`); the curve starts at (0, 0) and is cut at `limit` by a
straight line. Regions are 8-connected. Undefined without a normal or without an anomalous pixel. The sum
is correctly rounded (`math.fsum`), so no order of images changes its last bit.
"""

import math

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics._arguments import Images, checked_limit
from zsadbench.metrics._counts import Counts
from zsadbench.metrics._gather import Pixels, gather, join


def aupro(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """Area under the per-region overlap curve up to a false positive rate, in [0, 1]; None when undefined.

    `scores` (n, height, width) floats; `masks` of the same shape: boolean, 0 and 1, or 0 and 255. A
    list of two-dimensional arrays serves images of different sizes. `limit` lies in (0, 1].

    >>> scores = [[[0.9, 0.1, 0.2], [0.1, 0.1, 0.8]]]
    >>> masks = [[[1, 0, 0], [0, 0, 1]]]
    >>> aupro(scores, masks)
    1.0

    Raises:
        ValueError: shapes differ, a mask value cannot be right, a map has a NaN, or the limit is not
            in (0, 1].
    """
    limit = checked_limit(limit)
    pixels = join(gather(scores, masks))
    counts = pixels.counts
    return aupro_of(pixels, counts, limit) if counts.defined else None


def aupro_of(pixels: Pixels, counts: Counts, limit: float) -> float:
    """The area from joined pixels and their counts, which must be defined."""
    allowed = limit * counts.normals  # false alarms
    terms = np.repeat(_areas_right_of(counts, allowed), counts.anomalous) / pixels.area
    return math.fsum(terms.tolist()) / (allowed * pixels.regions)


def _areas_right_of(counts: Counts, allowed: float) -> NDArray[np.float64]:
    """For each distinct score, the area under its ramp from 0 to 1, up to `allowed` false alarms."""
    room = np.maximum(allowed - counts.greater, 0.0)
    whole = room - counts.equal / 2
    cut = room**2 / (2 * np.maximum(counts.equal, 1))
    areas: NDArray[np.float64] = np.where(counts.equal <= room, whole, cut)
    return areas
