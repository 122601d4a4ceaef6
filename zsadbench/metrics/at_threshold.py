"""F1 at a threshold that was chosen on other images, as a deployed detector has to decide.

F1-max chooses its threshold on the images that it evaluates; a deployed detector cannot. Here the threshold is the one
with the largest F1 on other images: those of the auxiliary set, all of its classes together. Image scores have one
threshold, pixels another. The difference to F1-max is what is lost because scores of two data sets differ in scale.

F1 is 2·TP / (2·TP + FP + FN); samples that score at or above the threshold are flagged. Undefined without a normal or
without an anomalous sample, like F1-max; 0 if no anomalous sample is flagged.

SegF1, which MVTec AD 2 uses, is F1 of pixels at a threshold in which no test image has a part. Here the threshold of a
class is the mean plus three standard deviations of all pixel scores of its normal validation images, rounded to
float32. This rule is this project's choice, for no other specification was found. Mean and deviation are
those of all pixels at once, summed exactly over images: neither the order of images, nor batches, nor how parts were
merged changes a bit of the threshold. The counts of `F1At` are four integers, the same whether scores are kept or
streamed, and exact in both.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.counts import Counts, count
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import Image
from zsadbench.metrics.estimate import Estimate

DEVIATIONS = 3  # of the threshold of SegF1 above the mean


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


def segf1(scores: ArrayLike, masks: ArrayLike, threshold: float) -> float | None:
    """F1 of all pixels at a threshold, in [0, 1]; None without a normal or without an anomalous pixel.

    `scores` floats of any shape, higher is more anomalous; `masks` of the same shape: boolean, 0 and 1, or 0 and 255.

    >>> segf1([[0.1, 0.7], [0.9, 0.4]], [[0, 0], [1, 1]], 0.5)
    0.5

    Raises:
        ValueError: shapes differ, a mask value is invalid, or a score is NaN.
    """
    counts = F1At(threshold, "pixel")
    counts.update(scores, masks)
    return counts.compute().value


class NormalPixels:
    """Mean and standard deviation of the pixel scores of normal images, image by image.

    >>> pixels = NormalPixels()
    >>> pixels.update(np.array([[[0.0, 2.0]], [[0.0, 2.0]]]))
    >>> pixels.threshold()
    4.0
    """

    def __init__(self) -> None:
        self._images: list[tuple[float, float, float]] = []  # pixels, mean, sum of squared differences from the mean

    def update(self, maps: Iterable[ArrayLike]) -> None:
        """Add anomaly maps, each (height, width) of floats; after an error none of them has been added.

        Raises:
            ValueError: a score is NaN or infinite, or a map has no pixel.
        """
        added = []
        for number, each in enumerate(maps):
            scores = np.asarray(each, np.float64).ravel()
            if not scores.size or not np.isfinite(scores).all():
                raise ValueError(f"map {number} has no pixel, or one that is not finite")
            mean = float(scores.mean())
            added.append((float(scores.size), mean, float(np.square(scores - mean).sum())))
        self._images += added

    def merge(self, other: Self) -> Self:
        """Add the images of another, and return self; `other` stays as it is."""
        self._images += other._images
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all images, as one array without objects; the same bytes for the same set of images."""
        return {"images": np.array(sorted(self._images), np.float64).reshape(-1, 3)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the images whose `state` this is.

        Raises:
            ValueError: the array is missing or has another shape.
        """
        images = state.get("images")
        if images is None or images.ndim != 2 or images.shape[1] != 3:
            raise ValueError("the state lacks the three numbers of each image")
        restored = cls()
        restored._images = [(pixels, mean, squares) for pixels, mean, squares in images.tolist()]
        return restored

    def threshold(self) -> float | None:
        """The mean plus three standard deviations, rounded to float32; None without an image."""
        if not self._images:
            return None
        pixels = fsum(count for count, _, _ in self._images)
        mean = fsum(count * of_image for count, of_image, _ in self._images) / pixels
        between = [count * (of_image - mean) ** 2 for count, of_image, _ in self._images]
        variance = fsum([*between, *(squares for _, _, squares in self._images)]) / pixels
        return float(np.float32(mean + DEVIATIONS * sqrt(variance)))
