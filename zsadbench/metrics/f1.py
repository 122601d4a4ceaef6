"""The largest F1: the best balance of precision and recall that a single threshold attains.

Source: C. J. van Rijsbergen, "Information Retrieval" (1979); as a metric of anomaly maps, Y. Zou et
al., "SPot-the-Difference self-supervised pre-training for anomaly detection", ECCV 2022.

F1 is 2PR / (P + R), which is 2·TP / (TP + FP + all anomalous): one division of integers. Between two anomalous scores
only FP changes, so the maximum lies at an anomalous score.

Thresholds are attained scores (`>=`), ties pass together. Undefined without a normal or without an anomalous sample.
"""

from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.estimate import Estimate


def f1_max(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """The largest F1 over all thresholds, in (0, 1]; None if undefined.

    `scores` floats of any shape, higher is more anomalous; `labels` of the same shape: boolean, 0 and 1, or 0 and 255.
    Maps and masks give the largest F1 of all pixels.

    >>> f1_max([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.8

    Raises:
        ValueError: shapes differ, a label is invalid, or a score is NaN.
    """
    counts = count(*split_by_label(scores, labels))
    return f1_max_of(counts) if counts.defined else None


def f1_max_of(counts: Counts) -> float:
    """Compute the largest F1 from counts, which must be defined."""
    detected = counts.detected
    flagged = detected + counts.greater + counts.equal
    return float((2 * detected / (flagged + counts.anomalies)).max())


def f1_max_within(counts: Counts) -> Estimate:
    """Compute the largest F1 with bounds: a mixed group as a whole is a threshold, and may contain a better one.

    The better one flags at most all anomalous scores of the group, and at least none of the normal ones.
    """
    value = f1_max_of(counts)
    if counts.mixed is None:
        return Estimate.sure(value)
    detected = counts.detected
    flagged = detected + counts.greater + counts.equal * ~counts.mixed
    return Estimate.within(value, value, float((2 * detected / (flagged + counts.anomalies)).max()))
