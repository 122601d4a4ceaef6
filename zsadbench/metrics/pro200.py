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

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Floats, Images, checked_limit
from zsadbench.metrics.counting.groups import Groups, Places
from zsadbench.metrics.counting.in_memory import pixels_in_memory
from zsadbench.metrics.counting.threads import threads_of
from zsadbench.metrics.estimate import Estimate

STEPS = 200
VARIANTS = ("aupro_200", "aupro_200_max")
NO_RATES = np.empty(0), np.empty(0)
UNCLEAR = "the 200 thresholds lie too near to each other for the bits of the stream"


class Curve(NamedTuple):
    """False positive rate, mean region overlap and recall at every threshold, thresholds ascending, float64.

    Each is known to lie between two bounds, which are equal where all scores were kept. Without points, the
    `reason`.
    """

    fpr: tuple[NDArray[np.float64], NDArray[np.float64]]
    pro: tuple[NDArray[np.float64], NDArray[np.float64]]
    recall: tuple[NDArray[np.float64], NDArray[np.float64]]
    reason: str | None = None


def aupro_200(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """FB-CLIP's AUPRO: kept rates stretched from their minimum and maximum; None when undefined.

    Arguments and errors are those of `aupro`.

    >>> aupro_200([[[0.9, 0.1, 0.2], [0.1, 0.3, 0.8]]], [[[1, 0, 0], [0, 0, 1]]], limit=0.5)
    1.0
    """
    limit = checked_limit(limit)
    return _area_of(scores, masks, limit, from_minimum=True)


def aupro_200_max(scores: Images, masks: Images, limit: float = 0.3) -> float | None:
    """AF-CLIP's AUPRO: kept rates divided by their maximum; None when undefined.

    Arguments and errors are those of `aupro`.

    >>> aupro_200_max([[[0.9, 0.1, 0.2], [0.1, 0.3, 0.8]]], [[[1, 0, 0], [0, 0, 1]]], limit=0.5)
    1.0
    """
    limit = checked_limit(limit)
    return _area_of(scores, masks, limit, from_minimum=False)


def thresholds(low: np.floating, high: np.floating) -> Floats:
    """The published thresholds between two unequal finite scores, in their dtype: 200, rarely 201."""
    found: Floats = np.arange(low, high, (high - low) / STEPS)
    return found


def no_thresholds(low: np.floating, high: np.floating) -> str | None:
    """Why there are no thresholds between two scores; None where there are."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "infinite scores leave no range for 200 thresholds"
    with np.errstate(over="ignore", under="ignore"):
        step = (high - low) / STEPS
    if np.isfinite(step) and step > 0:
        return None
    return "equal scores leave no range for 200 thresholds"


def curve_at(groups: Groups, places: Places) -> Curve:
    """The curve at thresholds, each of which lies in a group."""
    counts, total, (at, unknown) = groups.counts, groups.weight.sum(), places
    above, found = groups.weight[::-1].cumsum()[::-1] - groups.weight, counts.detected - counts.anomalous
    fpr = [(counts.greater[at] + counts.equal[at] * more) / counts.normals for more in (0, unknown)]
    pro = [(above[at] + groups.weight[at] * more) / total for more in (0, unknown)]
    recall = [(found[at] + counts.anomalous[at] * more) / counts.anomalies for more in (0, unknown)]
    return Curve((fpr[0], fpr[1]), (pro[0], pro[1]), (recall[0], recall[1]))


def span_of(curve: Curve, limit: float) -> tuple[float, float] | None:
    """The least and the greatest false positive rate that is kept, which are stretched to 0 and 1."""
    kept = _kept(curve, limit)
    return (float(kept.min()), float(kept.max())) if kept.size else None


def number_kept(curve: Curve, limit: float) -> int:
    """How many of the 200 thresholds stay below the limit: what the area is drawn from."""
    return int(_kept(curve, limit).size)


def _kept(curve: Curve, limit: float) -> NDArray[np.float64]:
    middle = (curve.fpr[0] + curve.fpr[1]) / 2
    kept: NDArray[np.float64] = middle[middle < limit]
    return kept


def area_under(curve: Curve, limit: float, from_minimum: bool) -> Estimate:
    """The area of the kept points, rates stretched by their maximum, or from their minimum as well.

    Where the curve has bounds, so has the area. Overlap rises with the rate, so the area falls when an inner
    rate grows, and grows with the greatest; with the least it falls, or grows where rates are stretched from
    there. Each number of points that may be kept is tried.
    """
    if curve.reason is not None:
        return Estimate.undefined(curve.reason)
    (low, high), middle = curve.fpr, (curve.fpr[0] + curve.fpr[1]) / 2
    exact = bool((low == high).all() and (curve.pro[0] == curve.pro[1]).all())
    value = _area(middle, (curve.pro[0] + curve.pro[1]) / 2, int((middle < limit).sum()), from_minimum)
    if exact:
        return Estimate.undefined(value) if isinstance(value, str) else Estimate.sure(value)
    if (high[1:] > low[:-1])[low[1:] < limit].any():
        return Estimate.undefined(UNCLEAR)
    numbers = range(int((high < limit).sum()), int((low < limit).sum()) + 1)
    least = (low, high) if from_minimum else (high, low)
    lower = [_area(_rates(high, low, least[0], n), curve.pro[0], n, from_minimum) for n in numbers]
    upper = [_area(_rates(low, high, least[1], n), curve.pro[1], n, from_minimum) for n in numbers]
    known = [one for one in (*lower, *upper) if not isinstance(one, str)]
    if not known:
        return Estimate.undefined(str(lower[0]))
    if isinstance(value, str) or len(known) < 2 * len(numbers):
        return Estimate.undefined(UNCLEAR)
    return Estimate.within(value, min(known), max(known))


def _rates(
    inner: NDArray[np.float64], greatest: NDArray[np.float64], least: NDArray[np.float64], number: int
) -> NDArray[np.float64]:
    """Rates of which the last `number` are kept: the greatest, the inner ones and the least, each from its bounds."""
    rates = inner.copy()
    rates[-1] = least[-1]
    if number:
        rates[-number] = greatest[-number]
    return rates


def _area_of(scores: Images, masks: Images, limit: float, *, from_minimum: bool) -> float | None:
    curve = groups_and_curve(pixels_in_memory(scores, masks), threads_of(None))[1]
    return area_under(curve, limit, from_minimum).value


def _area(fpr: NDArray[np.float64], pro: NDArray[np.float64], number: int, from_minimum: bool) -> float | str:
    """The area of the last `number` points; where there is none, why."""
    if number < 2:
        return "fewer than two of the 200 thresholds stay below the limit"
    x, y = fpr[-number:], pro[-number:]
    start = x[-1] if from_minimum else 0.0
    if x[0] <= start:
        return "the thresholds below the limit span no false positive rate"
    x = (x - start) / (x[0] - start)
    return float(((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum())


class Pixels(Protocol):
    """Pixels of a class, kept or counted."""

    def extremes(self) -> tuple[np.floating[Any], np.floating[Any]] | None:
        """The least and the greatest score, None without a pixel."""
        ...

    def groups(self, cuts: Floats, threads: int) -> tuple[Groups, Places]:
        """Groups of pixels, ascending, and where the scores `cuts` lie."""
        ...


def groups_and_curve(pixels: Pixels, threads: int) -> tuple[Groups, Curve]:
    """The groups, and the curve at the 200 thresholds between the extreme scores, or why there is none."""
    found = pixels.extremes()
    reason = "no pixel" if found is None else no_thresholds(*found)
    cuts = thresholds(*found) if found is not None and reason is None else np.empty(0, np.float32)
    groups, places = pixels.groups(cuts, threads)
    reason = groups.counts.missing("pixel") or reason
    curve = curve_at(groups, places) if reason is None else Curve(NO_RATES, NO_RATES, NO_RATES, reason)
    return groups.anomalous_only(), curve
