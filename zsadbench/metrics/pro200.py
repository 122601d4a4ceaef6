"""AUPRO from 200 thresholds: what most repositories publish, and not what AUPRO is defined to be.

Source: `cal_pro_score` of FB-CLIP and AnomalyCLIP (`aupro_200`), `compute_pro` of AF-CLIP and
APRIL-GAN (`aupro_200_max`).

200 thresholds are spaced equally between the lowest and the highest score of the class; points whose
false positive rate stays below `limit` are kept, and the kept rates are stretched: from their own
minimum and maximum to 0 and 1 (`aupro_200`), or by their maximum alone (`aupro_200_max`). The area
is of trapezoids. It depends on the scale of the scores, not on their order alone, and the curve neither
starts at (0, 0) nor reaches the limit: compare it with published numbers, never with `aupro`.

A pixel is flagged above a threshold (`>`). Thresholds have the dtype of the scores, float32 for most,
as published; rounding sometimes makes a 201st, at the maximum, and it counts. Regions are 8-connected.
Undefined without a normal or an anomalous pixel, where all scores are equal or one is infinite, and where
the kept points span no range.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics._arguments import Floats, Images, checked_limit
from zsadbench.metrics._gather import Pixels, gather, join
from zsadbench.metrics.estimate import Estimate

STEPS = 200


class Curve(NamedTuple):
    """The points of a class, thresholds ascending, float64; without points, the `reason`."""

    fpr: NDArray[np.float64]
    pro: NDArray[np.float64]
    reason: str | None = None


def aupro_200(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """FB-CLIP's AUPRO: kept rates stretched from their minimum and maximum; None when undefined.

    Arguments and errors are those of `aupro`.

    >>> aupro_200([[[0.9, 0.1, 0.2], [0.1, 0.3, 0.8]]], [[[1, 0, 0], [0, 0, 1]]], limit=0.5)
    1.0
    """
    limit = checked_limit(limit)
    return area_under(curve_of(join(gather(scores, masks))), limit, from_minimum=True).value


def aupro_200_max(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """AF-CLIP's AUPRO: kept rates divided by their maximum; None when undefined.

    Arguments and errors are those of `aupro`.

    >>> aupro_200_max([[[0.9, 0.1, 0.2], [0.1, 0.3, 0.8]]], [[[1, 0, 0], [0, 0, 1]]], limit=0.5)
    1.0
    """
    limit = checked_limit(limit)
    return area_under(curve_of(join(gather(scores, masks))), limit, from_minimum=False).value


def thresholds(low: np.floating, high: np.floating) -> Floats:
    """The published thresholds between two unequal finite scores, in their dtype: 200, rarely 201."""
    found: Floats = np.arange(low, high, (high - low) / STEPS)
    return found


def curve_of(pixels: Pixels) -> Curve:
    """The false positive rate and the mean region overlap of joined pixels at every threshold."""
    reason = pixels.counts.missing("pixel")
    if reason is None:
        low = min(pixels.normal[0], pixels.anomalous[0])
        high = max(pixels.normal[-1], pixels.anomalous[-1])
        reason = _no_range(low, high)
    if reason is not None:
        return Curve(np.empty(0), np.empty(0), reason)
    cuts = thresholds(low, high)
    flagged = pixels.normal.size - np.searchsorted(pixels.normal, cuts, side="right")
    return Curve(flagged / pixels.normal.size, _overlaps(pixels, cuts))


def area_under(curve: Curve, limit: float, from_minimum: bool) -> Estimate:
    """The area of the kept points, rates stretched by their maximum, or from their minimum as well."""
    if curve.reason is not None:
        return Estimate.undefined(curve.reason)
    kept = curve.fpr < limit
    fpr, pro = curve.fpr[kept], curve.pro[kept]
    if fpr.size < 2:
        return Estimate.undefined("fewer than two of the 200 thresholds stay below the limit")
    start = fpr.min() if from_minimum else 0.0
    if fpr.max() <= start:
        return Estimate.undefined("the thresholds below the limit span no false positive rate")
    x = (fpr - start) / (fpr.max() - start)
    return Estimate.exact(math.fsum(((x[:-1] - x[1:]) * (pro[:-1] + pro[1:]) / 2).tolist()))


def _no_range(low: np.floating, high: np.floating) -> str | None:
    if not (np.isfinite(low) and np.isfinite(high)):
        return "infinite scores leave no range for 200 thresholds"
    with np.errstate(over="ignore", under="ignore"):
        step = (high - low) / STEPS
    if np.isfinite(step) and step > 0:
        return None
    return "equal scores leave no range for 200 thresholds"


def _overlaps(pixels: Pixels, cuts: Floats) -> NDArray[np.float64]:
    """The mean, over regions, of the fraction of a region above each threshold."""
    edges = [*np.searchsorted(pixels.anomalous, cuts, side="right").tolist(), pixels.anomalous.size]
    weights = (1 / pixels.area).tolist()
    gained = [math.fsum(weights[start:stop]) for start, stop in pairwise(edges)]
    found = [math.fsum(gained[first:]) for first in range(len(gained))]
    return np.asarray(found) / pixels.regions
