"""Average precision: the mean precision at the anomalous samples.

Source: scikit-learn's `average_precision_score`; M. Zhu, "Recall, precision and average precision",
University of Waterloo (2004).

Each distinct anomalous score is a threshold; the precision there is weighted with the recall gained there. The sum has
steps, not trapezoids: straight lines between points of a precision–recall curve assume precision that no threshold
attains.

Samples of equal score pass a threshold together (`>=`), so a tie with a normal sample lowers the precision. Undefined
without a normal or without an anomalous sample.
"""

import numpy as np
from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.arrays import Float64s
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.estimate import Estimate


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Average precision in [0, 1]; None if undefined.

    `scores` floats of any shape, higher is more anomalous; `labels` of the same shape: boolean, 0 and 1, or 0 and 255.
    Maps and masks give the average precision of all pixels.

    >>> average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.8333333333333333

    Raises:
        ValueError: shapes differ, a label is invalid, or a score is NaN.
    """
    counts = count(*split_by_label(scores, labels))
    return average_precision_of(counts) if counts.defined else None


def average_precision_of(counts: Counts) -> float:
    """Compute the average precision from counts, which must be defined; all scores of a group are ties."""
    detected = counts.detected
    precision = detected / (detected + counts.greater + counts.equal)
    return min(float((counts.anomalous * precision).sum()) / counts.anomalies, 1.0)


def average_precision_within(counts: Counts) -> Estimate:
    """Compute the average precision with bounds.

    A mixed group adds most if its anomalous scores tie above all of its normal ones, and least if they follow them one
    by one. Precision is concave in the number detected, so the straight line from the first to the last is a lower
    bound. The value assumes that the normal scores are mixed in evenly, at two ranks that have the mean and the
    variance of the ranks 1 … p of the p anomalous scores.
    """
    mixed = counts.mixed
    if mixed is None:
        return Estimate.sure(average_precision_of(counts))
    size, before = counts.anomalous, counts.detected - counts.anomalous
    tied = counts.detected / (counts.detected + counts.greater + counts.equal)

    def precision(rank: Float64s, normal: Float64s) -> Float64s:
        at_rank: Float64s = (before + rank) / (before + rank + counts.greater + normal)
        return at_rank

    first, all_normal = np.ones(size.shape), counts.equal.astype(np.float64)
    lower = (precision(first, all_normal) + tied) / 2
    upper = precision(size.astype(np.float64), np.zeros(size.shape))
    ranks = [(size + 1) / 2 + sign * np.sqrt((size**2 - 1) / 12) for sign in (-1, 1)]
    near, far = (precision(rank, all_normal * (rank - 0.5) / size) for rank in ranks)

    def total(of_mixed: Float64s) -> float:
        return float((size * np.where(mixed, of_mixed, tied)).sum()) / counts.anomalies

    return Estimate.within(total((near + far) / 2), total(lower), total(upper))
