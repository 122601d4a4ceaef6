"""How far the metrics of a class would move with other images: bootstrap intervals by resampling images.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993).

Images are resampled with replacement, normal and anomalous ones separately, so a class keeps its numbers of both.
Pixels are never resampled individually, because the scores of an image vary together. A deviation is a metric of the
resampled images minus that of all images; an interval puts the quantiles of the deviations around the value itself,
which stays exact. Two methods are compared on the same resamples, so a common effect of an easy image cancels, and a
method compared with itself differs by exactly 0. Intervals say nothing about other seeds, other training or other data
sets.

Pixels are kept per image, counted by the first 14 bits of their keys, with region weights: a few kilobytes per image,
which go to a temporary file where they are many. This is coarse, and used for the deviations alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity, checked_limit, split_by_label
from zsadbench.metrics.counting.arrays import Float64s, Images
from zsadbench.metrics.counting.cells import BITS as CELL_BITS
from zsadbench.metrics.counting.cells import Cells, cells_of
from zsadbench.metrics.counting.image import Image, as_float32, read_images
from zsadbench.metrics.counting.spill_buffer import SmallArrays
from zsadbench.metrics.names import DEFAULT_LIMIT
from zsadbench.metrics.resampling.draws import Draws
from zsadbench.metrics.resampling.tables import BIN, BIN_FIELDS, BITS, columns_of
from zsadbench.metrics.resampling.values import Values, image_metrics, pixel_metrics

ROWS = 1 << 16  # of tables in a state, at once

Deviations = Values
Place = tuple[int, int]  # of the table of an image: its position, and its number of rows


class BootstrapCounts:
    """What resampling needs of the images of one class; `connectivity` is that of `PixelMetrics`.

    Raises:
        ValueError: the connectivity is neither 4 nor 8.
    """

    def __init__(self, *, connectivity: int = 8) -> None:
        self._corners = checked_connectivity(connectivity)
        self._images: dict[str, tuple[float, bool, Place | None]] = {}
        self._tables = SmallArrays()

    def update(
        self,
        names: Sequence[str],
        image_scores: ArrayLike,
        labels: ArrayLike,
        maps: Images | None = None,
        masks: Images | None = None,
    ) -> None:
        """Add one batch; `names` identify its images, the rest is as in `ClassMetrics.update`.

        Raises:
            ValueError: as in `ClassMetrics.update`, or a name repeats.
        """
        scores, flags = np.asarray(image_scores, np.float64), np.asarray(labels).astype(np.bool_)
        split_by_label(scores, labels, ndim=1)
        images: Sequence[Image | None] = [None] * scores.size
        if maps is not None and masks is not None:
            images = read_images(maps, masks, self._corners, 1)
        if not len(names) == len(images) == scores.size:
            raise ValueError(f"{len(names)} names, {len(images)} maps and {scores.size} scores do not go together")
        repeated = [name for name in names if name in self._images]
        if repeated or len(set(names)) < len(names):
            raise ValueError(f"image '{(repeated or list(names))[0]}' came before, or twice in this batch")
        for name, score, flag, image in zip(names, scores.tolist(), flags.tolist(), images, strict=True):
            narrow = as_float32(image)[0] if image is not None else None
            self.take(name, score, flag, narrow, cells_of(narrow) if narrow is not None else None)

    def take(self, name: str, score: float, label: bool, image: Image | None, cells: Cells | None) -> None:
        """Add one new image that was read, checked and counted already; its scores are float32."""
        self._images[name] = (score, label, self._kept(_binned(image, cells)) if image is not None and cells else None)

    def _kept(self, table: NDArray[Any]) -> Place:
        """Keep the table of an image, and return where."""
        return self._tables.put(table), len(table)

    def _table(self, place: Place) -> NDArray[Any]:
        """Return the table of an image."""
        return self._tables.get(*place, BIN)

    def replace_scores(self, scores: Mapping[str, float]) -> None:
        """Replace the image scores of all images, by name."""
        self._images = {name: (scores[name], label, place) for name, (_, label, place) in self._images.items()}

    @property
    def labels(self) -> dict[str, bool]:
        """Whether each image is anomalous, by name."""
        return {name: label for name, (_, label, _) in self._images.items()}

    def merge(self, other: Self) -> Self:
        """Add the images of another, and return self.

        Raises:
            ValueError: both have an image of the same name.
        """
        both = self._images.keys() & other._images.keys()
        if both:
            raise ValueError(f"image '{min(both)}' is in both")
        for name, (score, label, place) in other._images.items():
            self._images[name] = (score, label, self._kept(other._table(place)) if place is not None else None)
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all images by name, as arrays without objects, for `numpy.savez_compressed`.

        Large arrays of tables are memory maps of temporary files.
        """
        names = sorted(self._images)
        places = [place for name in names if (place := self._images[name][2]) is not None]
        lengths = np.array([count for _, count in places], np.uint32)
        return {
            "names": np.array(names, np.str_),
            "scores": np.array([self._images[name][0] for name in names]),
            "labels": np.array([self._images[name][1] for name in names], np.bool_),
            "corners": np.array(self._corners),
            "lengths": lengths,
            **columns_of(map(self._table, places), int(lengths.sum())),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the images of a state.

        Raises:
            ValueError: an array is missing, or their sizes do not fit together.
        """
        missing = {"names", "scores", "labels", "corners", "lengths", *BIN_FIELDS} - set(state)
        if missing:
            raise ValueError(f"the state lacks {', '.join(sorted(missing))}")
        names, lengths = state["names"].tolist(), state["lengths"].astype(np.int64)
        if lengths.size not in (0, len(names)) or lengths.sum() != state["bin"].size:
            raise ValueError("the state has not one table for each image")
        restored = cls(connectivity=8 if state["corners"] else 4)
        for start in range(0, state["bin"].size, ROWS):
            bins = np.empty(state["bin"][start : start + ROWS].size, BIN)
            for field in BIN_FIELDS:
                bins[field] = state[field][start : start + ROWS]
            restored._tables.put(bins)
        starts = (lengths.cumsum() - lengths) * BIN.itemsize
        places = list(zip(starts.tolist(), lengths.tolist(), strict=True)) if lengths.size else [None] * len(names)
        scores, labels = state["scores"].tolist(), state["labels"].tolist()
        restored._images = dict(zip(names, zip(scores, labels, places, strict=True), strict=True))
        return restored

    def deviations(
        self, draws: int = 2000, seed: int | Sequence[int] = 0, *, limit: float = DEFAULT_LIMIT, pixels: bool = True
    ) -> Deviations:
        """Record key → (draws,) float64: each metric of the resampled images minus that of all images.

        Metrics that the class does not define are left out, and all pixel metrics if `pixels` is false. The same seed
        resamples the same images by name for every method.

        Raises:
            ValueError: the limit is not in (0, 1].
        """
        names = sorted(self._images)
        labels = np.array([self._images[name][1] for name in names], np.bool_)
        scores = np.array([self._images[name][0] for name in names])
        drawn = Draws(labels, draws, seed)
        values: Deviations = {}
        if labels.any() and not labels.all():
            values = image_metrics(scores, drawn)
        places = [place for name in names if (place := self._images[name][2]) is not None]
        if pixels and places and len(places) == len(names):
            values |= pixel_metrics(lambda index: self._table(places[index]), drawn, checked_limit(limit))
        return {key: of_metric[1:] - of_metric[0] for key, of_metric in values.items() if np.isfinite(of_metric).all()}


def interval(value: float, deviations: Float64s, level: float = 0.95) -> tuple[float, float]:
    """The interval around a value that contains this share of the deviations, clipped to [0, 1].

    >>> interval(0.9, np.array([-0.02, 0.0, 0.02]), 0.5)
    (0.89, 0.91)
    """
    low, high = np.quantile(deviations, ((1 - level) / 2, (1 + level) / 2)).tolist()
    return max(value + low, 0.0), min(value + high, 1.0)


def mean_of(classes: Sequence[Deviations]) -> Deviations:
    """The deviations of the mean over classes, resampled independently; each metric over the classes that have it."""
    keys = dict.fromkeys(key for of_class in classes for key in of_class)
    return {key: np.mean([of_class[key] for of_class in classes if key in of_class], axis=0) for key in keys}


def differences(
    one: BootstrapCounts, other: BootstrapCounts, draws: int = 2000, seed: int | Sequence[int] = 0
) -> Deviations:
    """The deviations of the difference `one` minus `other` of two methods, on the same resamples.

    Raises:
        ValueError: the two do not have the same images.
    """
    if one.labels != other.labels:
        raise ValueError("methods are compared on the same images, but these have not seen the same")
    first, second = one.deviations(draws, seed), other.deviations(draws, seed)
    return {key: first[key] - second[key] for key in first if key in second}


def _binned(image: Image, cells: Cells) -> NDArray[Any]:
    """Count the pixels of an image by the first bits of their keys: rows of `BIN`, bins ascending."""
    from zsadbench.metrics.counting.cells_kernel import coarsen

    bits, by, shift = image.scores.view(np.uint32), np.uint64(CELL_BITS - BITS), np.uint64(32 - BITS)
    columns = coarsen((cells.cells, cells.numbers), bits, (image.runs, image.areas), by, shift)
    table = np.empty(columns[0].size, BIN)
    for field, column in zip(BIN_FIELDS, columns, strict=True):
        table[field] = column
    return table
