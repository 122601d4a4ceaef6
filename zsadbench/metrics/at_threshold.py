"""F1 at a threshold that was chosen elsewhere: what a detector reaches once it has to decide.

F1-max looks for its threshold among the images that it judges; a deployed detector cannot. Here the threshold is the
one that gives the largest F1 on other images, those of the auxiliary set, all of its classes together: image scores
have one, pixels another. What is lost against F1-max is the price of scales that do not carry over.

F1 is 2·TP / (2·TP + FP + FN), flagged is what scores at or above the threshold. Undefined without a normal or without
an anomalous sample, like F1-max; 0 where nothing anomalous is flagged.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zsadbench.metrics.counting.arguments import labelled
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import Image
from zsadbench.metrics.estimate import Estimate


def best_threshold(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """The score that gives the largest F1 when it is a threshold, the highest of several; None when undefined.

    `scores` (n,) floats, higher is stranger; `labels` (n,) boolean or 0 and 1, 1 is anomalous.

    >>> best_threshold([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.35

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    normal, anomalous = labelled(scores, labels, ndim=1)
    counts = count(normal, anomalous)
    return float(np.unique(anomalous)[_best(counts)]) if counts.defined else None


def best_threshold_of(groups: Groups) -> float | None:
    """The threshold that gives pixels the largest F1: the lowest score of a group; None when undefined."""
    return float(groups.least[_best(groups.counts)]) if groups.counts.defined else None


def _best(counts: Counts) -> int:
    detected = counts.detected
    f1 = 2 * detected / (detected + counts.greater + counts.equal + counts.anomalies)
    return int(f1.size - 1 - np.argmax(f1[::-1]))


class F1At:
    """F1 of samples at one threshold, batch by batch; `unit`, "image" or "pixel", goes into the reasons.

    >>> found = F1At(0.5, "image")
    >>> found.update([0.2, 0.7, 0.9], [0, 0, 1])
    >>> found.compute().value
    0.6666666666666666
    """

    def __init__(self, threshold: float, unit: str) -> None:
        self.threshold, self.unit = threshold, unit
        self._normals = self._anomalies = self._false = self._found = 0

    def update(self, scores: ArrayLike, labels: ArrayLike) -> None:
        """Take in a batch of samples, scores and labels of one shape; the errors are those of `f1_max`."""
        normal, anomalous = labelled(scores, labels)
        self._count(normal.size, anomalous.size, (normal >= self.threshold).sum(), (anomalous >= self.threshold).sum())

    def take(self, images: Sequence[Image]) -> None:
        """Take in the pixels of images that were read already."""
        for image in images:
            inside = image.inside
            flagged, found = (image.scores >= self.threshold).sum(), (inside >= self.threshold).sum()
            self._count(image.scores.size - inside.size, inside.size, flagged - found, found)

    def compute(self) -> Estimate:
        """F1 of all that was seen."""
        if not self._normals or not self._anomalies:
            nothing = np.empty(0, np.int64)
            counts = Counts(nothing, nothing, nothing, self._normals, self._anomalies)
            return Estimate.undefined(str(counts.missing(self.unit)))
        return Estimate.sure(2 * self._found / (self._found + self._false + self._anomalies))

    def _count(self, normals: int, anomalies: int, false: int, found: int) -> None:
        self._normals += normals
        self._anomalies += anomalies
        self._false += int(false)
        self._found += int(found)
