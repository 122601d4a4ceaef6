"""AUPRO from 200 thresholds: what most repositories publish, which differs from the definition of AUPRO.

Source: `cal_pro_score` of FB-CLIP and AnomalyCLIP (`aupro_200`), `compute_pro` of AF-CLIP and
APRIL-GAN (`aupro_200_max`).

200 thresholds are spaced equally between the lowest and the highest score of the class. Points whose false positive
rate is below `limit` are kept, and the kept rates are stretched: from their own minimum and maximum to 0 and 1
(`aupro_200`), or by their maximum alone (`aupro_200_max`). The area is a sum of trapezoids. It depends on the scale of
the scores, not only on their order. The curve neither starts at (0, 0) nor reaches the limit, and nothing is
interpolated there: compare it with published numbers, never with `aupro`.

A pixel is flagged if it scores above a threshold (`>`). Thresholds have the dtype of the scores, mostly float32, as
published; rounding sometimes adds a 201st at the maximum, which is kept as published. Regions are 8-connected.
Undefined without a normal or an anomalous pixel, if all scores are equal or one is infinite, and if the kept points
span no range.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from zsadbench.metrics.counting.arguments import checked_limit
from zsadbench.metrics.counting.arrays import Float64s, Floats, Images
from zsadbench.metrics.counting.exact import pixels_in_memory
from zsadbench.metrics.counting.groups import Groups, ThresholdPositions
from zsadbench.metrics.counting.threads import threads_of
from zsadbench.metrics.estimate import Estimate

STEPS = 200
VARIANTS = ("aupro_200", "aupro_200_max")
UNCLEAR = "the 200 thresholds lie too near to each other for the bits of the stream"


def aupro_200(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """FB-CLIP's AUPRO: kept rates are stretched from their minimum and maximum to 0 and 1; None if undefined.

    Arguments and errors are those of `aupro`.

    >>> aupro_200([[[0.9, 0.1, 0.2], [0.1, 0.3, 0.8]]], [[[1, 0, 0], [0, 0, 1]]], limit=0.5)
    1.0
    """
    return _from_maps(scores, masks, checked_limit(limit), from_minimum=True)


def aupro_200_max(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """AF-CLIP's AUPRO: kept rates are divided by their maximum; None if undefined.

    Arguments and errors are those of `aupro`.

    >>> aupro_200_max([[[0.9, 0.1, 0.2], [0.1, 0.3, 0.8]]], [[[1, 0, 0], [0, 0, 1]]], limit=0.5)
    1.0
    """
    return _from_maps(scores, masks, checked_limit(limit), from_minimum=False)


def _from_maps(scores: Images, masks: Images, limit: float, *, from_minimum: bool) -> float | None:
    _, curve = groups_and_curve(pixels_in_memory(scores, masks), threads_of(None))
    return area_under(curve, limit, from_minimum=from_minimum).value


class Curve200(NamedTuple):
    """False positive rate, mean region overlap and recall at every threshold, float64, thresholds ascending.

    Each is a pair of arrays (thresholds,), a lower and an upper bound, which are equal if all scores were kept.
    `reason` says why there is no threshold, None if there are some.
    """

    fpr: tuple[Float64s, Float64s]
    pro: tuple[Float64s, Float64s]
    recall: tuple[Float64s, Float64s]
    reason: str | None = None


class Pixels(Protocol):
    """The pixels of a class, kept or counted."""

    def extremes(self) -> tuple[np.floating[Any], np.floating[Any]] | None:
        """Return the least and the greatest score, None without a pixel."""
        ...

    def groups(self, thresholds: Floats, threads: int) -> tuple[Groups, ThresholdPositions]:
        """Return groups of pixels in ascending order, and the groups in which the thresholds lie."""
        ...


def groups_and_curve(pixels: Pixels, threads: int) -> tuple[Groups, Curve200]:
    """Count pixels once: return the groups that hold an anomalous pixel, and the curve at the 200 thresholds."""
    extremes = pixels.extremes()
    reason = "no pixel" if extremes is None else no_thresholds(*extremes)
    spaced = thresholds(*extremes) if extremes is not None and reason is None else np.empty(0, np.float32)
    groups, positions = pixels.groups(spaced, threads)
    reason = groups.counts.undefined_reason("pixel") or reason
    if reason is not None:
        no_points = np.empty(0), np.empty(0)
        return groups.anomalous_only(), Curve200(no_points, no_points, no_points, reason)
    return groups.anomalous_only(), curve_at(groups, positions)


def thresholds(low: np.floating, high: np.floating) -> Floats:
    """Return the published thresholds between two unequal finite scores, in their dtype: 200, rarely 201."""
    spaced: Floats = np.arange(low, high, (high - low) / STEPS)
    return spaced


def no_thresholds(low: np.floating, high: np.floating) -> str | None:
    """Return why there are no thresholds between two scores, None if there are."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "infinite scores leave no range for 200 thresholds"
    with np.errstate(over="ignore", under="ignore"):
        step = (high - low) / STEPS
    if np.isfinite(step) and step > 0:
        return None
    return "equal scores leave no range for 200 thresholds"


def curve_at(groups: Groups, positions: ThresholdPositions) -> Curve200:
    """Return the curve at thresholds, each of which lies in a group."""
    counts, total, (group, uncertain) = groups.counts, groups.weight.sum(), positions
    above, detected = groups.weight[::-1].cumsum()[::-1] - groups.weight, counts.detected - counts.anomalous
    fpr = [(counts.greater[group] + counts.equal[group] * added) / counts.normals for added in (0, uncertain)]
    pro = [(above[group] + groups.weight[group] * added) / total for added in (0, uncertain)]
    recall = [(detected[group] + counts.anomalous[group] * added) / counts.anomalies for added in (0, uncertain)]
    return Curve200((fpr[0], fpr[1]), (pro[0], pro[1]), (recall[0], recall[1]))


def kept_rates(curve: Curve200, limit: float) -> Float64s:
    """Return the false positive rates below the limit; their extremes are stretched to 0 and 1."""
    middle = (curve.fpr[0] + curve.fpr[1]) / 2
    kept: Float64s = middle[middle < limit]
    return kept


def area_under(curve: Curve200, limit: float, *, from_minimum: bool) -> Estimate:
    """Compute the area of the kept points, rates stretched by their maximum, or from their minimum as well.

    If the curve has bounds, so has the area. Overlap rises with the rate, so the area falls when an inner rate grows,
    and grows with the greatest rate; with the least it falls, or grows if rates are stretched from there. Every number
    of points that may be below the limit is tried.
    """
    if curve.reason is not None:
        return Estimate.undefined(curve.reason)
    (low, high), middle = curve.fpr, (curve.fpr[0] + curve.fpr[1]) / 2
    exact = bool((low == high).all() and (curve.pro[0] == curve.pro[1]).all())
    value = _trapezoids(middle, (curve.pro[0] + curve.pro[1]) / 2, int((middle < limit).sum()), from_minimum)
    if exact:
        return Estimate.undefined(value) if isinstance(value, str) else Estimate.sure(value)
    if (high[1:] > low[:-1])[low[1:] < limit].any():
        return Estimate.undefined(UNCLEAR)
    numbers = range(int((high < limit).sum()), int((low < limit).sum()) + 1)
    least = (low, high) if from_minimum else (high, low)
    lower = [_trapezoids(_rates(high, low, least[0], n), curve.pro[0], n, from_minimum) for n in numbers]
    upper = [_trapezoids(_rates(low, high, least[1], n), curve.pro[1], n, from_minimum) for n in numbers]
    areas = [area for area in (*lower, *upper) if not isinstance(area, str)]
    if not areas:
        return Estimate.undefined(str(lower[0]))
    if isinstance(value, str) or len(areas) < 2 * len(numbers):
        return Estimate.undefined(UNCLEAR)
    return Estimate.within(value, min(areas), max(areas))


def _rates(inner: Float64s, greatest: Float64s, least: Float64s, number: int) -> Float64s:
    """Return rates of which the last `number` are kept: the greatest, the inner ones and the least of three arrays."""
    rates = inner.copy()
    rates[-1] = least[-1]
    if number:
        rates[-number] = greatest[-number]
    return rates


def _trapezoids(fpr: Float64s, pro: Float64s, number: int, from_minimum: bool) -> float | str:
    """Return the area under the last `number` points, or the reason why there is none."""
    if number < 2:
        return "fewer than two of the 200 thresholds stay below the limit"
    x, y = fpr[-number:], pro[-number:]
    start = x[-1] if from_minimum else 0.0
    if x[0] <= start:
        return "the thresholds below the limit span no false positive rate"
    x = (x - start) / (x[0] - start)
    return float(((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum())
