"""Average precision: the mean precision at the anomalous samples.

Source: scikit-learn's `average_precision_score`; M. Zhu, "Recall, precision and average precision",
University of Waterloo (2004).

Each distinct anomalous score is a threshold; the precision there is weighted with the recall gained
there. The sum has steps, not trapezoids: straight lines between points of a precision–recall curve
promise what no threshold delivers.

Samples of equal score pass a threshold together (`>=`), so a tie with a normal sample costs precision.
Undefined without a normal or without an anomalous sample.
"""

import math

from numpy.typing import ArrayLike

from zsadbench.metrics._arguments import labelled
from zsadbench.metrics._counts import Counts, count


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
    """The average precision from the counts; they must be defined."""
    detected = counts.detected
    precision = detected / (detected + counts.greater + counts.equal)
    return math.fsum((counts.anomalous * precision).tolist()) / counts.anomalies
