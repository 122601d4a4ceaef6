"""SegF1: F1 of the pixels of a class at one threshold that was chosen on normal images alone.

MVTec AD 2 ranks maps that its users have made binary. A binary map needs a threshold, and none may come from the test
images; here it is the mean plus three standard deviations of all pixel scores of the normal validation images of the
class, rounded to float32. This rule is this project's choice, for the benchmark leaves it to its users.

F1 is 2·TP / (2·TP + FP + FN) over the pixels of all test images of the class, normal ones included; pixels at or above
the threshold are flagged. It is counted by `F1At`: four integers, the same whether scores are kept or streamed, and
exact in both. Undefined without a normal or without an anomalous pixel, and where no threshold was chosen.

The mean and the deviation are those of all pixels at once, summed exactly over images: neither the order of images, nor
batches, nor how parts were merged changes a bit of the threshold.
"""

from collections.abc import Iterable, Mapping
from math import fsum, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.at_threshold import F1At

DEVIATIONS = 3


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
