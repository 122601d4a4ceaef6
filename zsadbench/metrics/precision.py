"""Average precision: the mean precision at the anomalous samples.

Source: scikit-learn's `average_precision_score`; M. Zhu, "Recall, precision and average precision",
University of Waterloo (2004).

Each distinct anomalous score is a threshold; the precision there is weighted with the recall gained
there. The sum has steps, not trapezoids: straight lines between points of a precision–recall curve
promise what no threshold delivers.

Samples of equal score pass a threshold together (`>=`), so a tie with a normal sample costs precision.
Undefined without a normal or without an anomalous sample.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import labelled
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.estimate import Estimate


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Average precision in [0, 1]; None when undefined.

    `scores` floats of any shape, higher is stranger; `labels` of the same shape: boolean, 0 and 1, or
    0 and 255. Maps and masks give the average precision of all pixels.

    >>> average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.8333333333333333

    Raises:
        ValueError: shapes differ, a label cannot be right, or a score is NaN.
    """
    counts = count(*labelled(scores, labels))
    return average_precision_of(counts) if counts.defined else None


def average_precision_of(counts: Counts) -> float:
    """The average precision from the counts, all groups as ties; they must be defined."""
    detected = counts.detected
    precision = detected / (detected + counts.greater + counts.equal)
    return min(float((counts.anomalous * precision).sum()) / counts.anomalies, 1.0)


def average_precision_within(counts: Counts) -> Estimate:
    """The average precision with its bounds.

    A mixed group adds most where its anomalous scores tie above all of its normal ones, and least where
    they follow them one by one. Precision is concave in the number detected, so the straight line from
    the first to the last lies below that; the value takes normal ones to be mixed in evenly, at two places
    that have the mean and the variance of 1 … p.
    """
    mixed = counts.mixed
    if mixed is None:
        return Estimate.sure(average_precision_of(counts))
    size, before = counts.anomalous, counts.detected - counts.anomalous
    tied = counts.detected / (counts.detected + counts.greater + counts.equal)

    def precision(rank: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (before + rank) / (before + rank + counts.greater + normal)
        return found

    one, every = np.ones(size.shape), counts.equal.astype(np.float64)
    lower = (precision(one, every) + tied) / 2
    upper = precision(size.astype(np.float64), np.zeros(size.shape))
    places = [(size + 1) / 2 + sign * np.sqrt((size**2 - 1) / 12) for sign in (-1, 1)]
    near, far = (precision(place, every * (place - 0.5) / size) for place in places)

    def total(of_mixed: NDArray[np.float64]) -> float:
        return float((size * np.where(mixed, of_mixed, tied)).sum()) / counts.anomalies

    return Estimate.within(total((near + far) / 2), total(lower), total(upper))
