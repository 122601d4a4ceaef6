"""F1 at a threshold that was chosen on other images, as a deployed detector has to decide.

F1-max chooses its threshold on the images that it evaluates; a deployed detector cannot. Here the threshold is the one
with the largest F1 on other images: those of the auxiliary set, all of its classes together. Image scores have one
threshold, pixels another. The difference to F1-max is what is lost because scores of two data sets differ in scale.

F1 is 2·TP / (2·TP + FP + FN); samples that score at or above the threshold are flagged. Undefined without a normal or
without an anomalous sample, like F1-max; 0 if no anomalous sample is flagged.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import Image
from zsadbench.metrics.estimate import Estimate


def best_threshold(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """The score that gives the largest F1 as a threshold, the highest of several; None if undefined.

    `scores` (n,) floats, higher is more anomalous; `labels` (n,) boolean or 0 and 1, 1 is anomalous.

    >>> best_threshold([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.35

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    normal, anomalous = split_by_label(scores, labels, ndim=1)
    counts = count(normal, anomalous)
    return float(np.unique(anomalous)[_best_group(counts)]) if counts.defined else None


def best_threshold_of(groups: Groups) -> float | None:
    """The threshold that gives pixels the largest F1: the lowest score of a group; None if undefined."""
    return float(groups.least[_best_group(groups.counts)]) if groups.counts.defined else None


def _best_group(counts: Counts) -> int:
    detected = counts.detected
    f1 = 2 * detected / (detected + counts.greater + counts.equal + counts.anomalies)
    return int(f1.size - 1 - np.argmax(f1[::-1]))


class F1At:
    """F1 of samples at one threshold, batch by batch; `unit`, "image" or "pixel", is named in reasons.

    >>> at_half = F1At(0.5, "image")
    >>> at_half.update([0.2, 0.7, 0.9], [0, 0, 1])
    >>> at_half.compute().value
    0.6666666666666666
    """

    def __init__(self, threshold: float, unit: str) -> None:
        self.threshold, self.unit = threshold, unit
        self._normals = self._anomalies = self._false_positives = self._true_positives = 0

    def update(self, scores: ArrayLike, labels: ArrayLike) -> None:
        """Add a batch of samples, scores and labels of one shape; the errors are those of `f1_max`."""
        normal, anomalous = split_by_label(scores, labels)
        self._count(normal.size, anomalous.size, (normal >= self.threshold).sum(), (anomalous >= self.threshold).sum())

    def take(self, images: Sequence[Image]) -> None:
        """Add the pixels of images that `PixelMetrics.read` has read."""
        for image in images:
            anomalous = image.anomalous_scores
            flagged, detected = (image.scores >= self.threshold).sum(), (anomalous >= self.threshold).sum()
            self._count(image.scores.size - anomalous.size, anomalous.size, flagged - detected, detected)

    def merge(self, other: Self) -> Self:
        """Add the samples of another, and return self.

        Raises:
            ValueError: the two differ in threshold or unit.
        """
        if (self.threshold, self.unit) != (other.threshold, other.unit):
            raise ValueError(f"the thresholds {self.threshold} and {other.threshold} of {self.unit}s differ")
        self._count(other._normals, other._anomalies, other._false_positives, other._true_positives)
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the threshold and the counts of all samples, as arrays without objects."""
        counts = self._normals, self._anomalies, self._false_positives, self._true_positives
        return {"threshold": np.array(self.threshold, np.float64), "counts": np.array(counts, np.int64)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], unit: str) -> Self:
        """Return the samples of this unit whose `state` this is.

        Raises:
            ValueError: there are not four counts.
        """
        restored = cls(float(state["threshold"]), unit)
        normals, anomalies, false_positives, true_positives = state["counts"].tolist()
        restored._count(normals, anomalies, false_positives, true_positives)
        return restored

    def compute(self) -> Estimate:
        """Return F1 of all samples so far."""
        if not self._normals or not self._anomalies:
            nothing = np.empty(0, np.int64)
            counts = Counts(nothing, nothing, nothing, self._normals, self._anomalies)
            return Estimate.undefined(str(counts.undefined_reason(self.unit)))
        positives = self._true_positives + self._false_positives
        return Estimate.sure(2 * self._true_positives / (positives + self._anomalies))

    def _count(self, normals: int, anomalies: int, false_positives: int, true_positives: int) -> None:
        self._normals += normals
        self._anomalies += anomalies
        self._false_positives += int(false_positives)
        self._true_positives += int(true_positives)
