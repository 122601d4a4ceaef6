"""How far the metrics of a class would move with other images: bootstrap intervals by resampling images.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993).

Images are resampled with replacement, normal and anomalous ones separately, so a class keeps its numbers of both.
Pixels are never resampled individually, because the scores of an image vary together. A deviation is a metric of the
resampled images minus that of all images; an interval puts the quantiles of the deviations around the value itself,
which stays exact. Two methods are compared on the same resamples, so a common effect of an easy image cancels, and a
method compared with itself differs by exactly 0. Intervals say nothing about other seeds, other training or other data
sets.

Pixels are kept per image, counted by the first 14 bits of their keys, with region weights: a few kilobytes per image.
This is coarse, and used for the deviations alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity, checked_limit, split_by_label
from zsadbench.metrics.counting.arrays import Bools, Float64s, Images
from zsadbench.metrics.counting.cells import BITS as CELL_BITS
from zsadbench.metrics.counting.cells import Cells, cells_of
from zsadbench.metrics.counting.image import Image, as_float32, read_images
from zsadbench.metrics.names import DEFAULT_LIMIT

BITS = 14
AT_ONCE = 250  # resamples of pixels
COUNTS = 1 << 16  # of images in resamples, at once
BIN = np.dtype([("bin", np.uint16), ("normal", np.uint32), ("anomalous", np.uint32), ("weight", np.float32)])
BIN_FIELDS = ("bin", "normal", "anomalous", "weight")

Deviations = dict[str, Float64s]


class BootstrapCounts:
    """What resampling needs of the images of one class; `connectivity` is that of `PixelMetrics`.

    Raises:
        ValueError: the connectivity is neither 4 nor 8.
    """

    def __init__(self, *, connectivity: int = 8) -> None:
        self._corners = checked_connectivity(connectivity)
        self._images: dict[str, tuple[float, bool, NDArray[Any] | None]] = {}

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
        self._images[name] = (score, label, _binned(image, cells) if image is not None and cells else None)

    def replace_scores(self, scores: Mapping[str, float]) -> None:
        """Replace the image scores of all images, by name."""
        self._images = {name: (scores[name], label, table) for name, (_, label, table) in self._images.items()}

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
        self._images |= other._images
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all images by name, as arrays without objects, for `numpy.savez_compressed`."""
        names = sorted(self._images)
        tables = [table for name in names if (table := self._images[name][2]) is not None]
        bins = np.concatenate([np.empty(0, BIN), *tables])
        return {
            "names": np.array(names, np.str_),
            "scores": np.array([self._images[name][0] for name in names]),
            "labels": np.array([self._images[name][1] for name in names], np.bool_),
            "corners": np.array(self._corners),
            "lengths": np.array([len(table) for table in tables], np.uint32),
            **{field: bins[field] for field in BIN_FIELDS},
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
        bins = np.empty(state["bin"].size, BIN)
        for field in BIN_FIELDS:
            bins[field] = state[field]
        tables = np.split(bins, lengths.cumsum()[:-1]) if lengths.size else [None] * len(names)
        restored = cls(connectivity=8 if state["corners"] else 4)
        scores, labels = state["scores"].tolist(), state["labels"].tolist()
        restored._images = dict(zip(names, zip(scores, labels, tables, strict=True), strict=True))
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
        times = np.vstack([np.ones((1, labels.size), np.uint8), _resample(labels, draws, seed)])
        values: Deviations = {}
        if labels.any() and not labels.all():
            values = _image_metrics(scores, labels, times)
        tables = [self._images[name][2] for name in names]
        if pixels and tables and all(table is not None for table in tables):
            values |= _pixel_metrics([table for table in tables if table is not None], times, checked_limit(limit))
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


def _resample(labels: Bools, draws: int, seed: int | Sequence[int]) -> NDArray[np.integer[Any]]:
    """Return how often each resample contains each image, (draws, images); the numbers of both labels stay."""
    rng = np.random.default_rng(seed)
    times = np.zeros((draws, labels.size), np.min_scalar_type(labels.size))
    for label in (False, True):
        members = np.flatnonzero(labels == label)
        at_once = _at_once(members.size)
        for start in range(0, draws if members.size else 0, at_once):
            some = times[start : start + at_once]
            flat = rng.integers(0, members.size, (len(some), members.size))
            flat += np.arange(len(some))[:, None] * members.size
            some[:, members] = np.bincount(flat.reshape(-1), minlength=flat.size).reshape(len(some), -1)
    return times


def _at_once(images: int) -> int:
    """Return how many resamples of so many images are counted at once, so that memory does not grow with both."""
    return max(1, COUNTS // max(1, images))


def _image_metrics(scores: Float64s, labels: Bools, times: NDArray[np.integer[Any]]) -> Deviations:
    """Return the image metrics of each resample by record key; `times` as from `_resample`."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    at_once = _at_once(labels.size)
    batches: list[Deviations] = []
    for start in range(0, len(times), at_once):
        some = times[start : start + at_once, order].astype(np.int64)
        normal, anomalous = (
            np.add.reduceat(some * of_label, first, axis=1) for of_label in (~labels[order], labels[order])
        )
        batches.append(_rank_metrics(normal, anomalous))
    return {f"image_{key}": np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def _pixel_metrics(tables: Sequence[NDArray[Any]], times: NDArray[np.integer[Any]], limit: float) -> Deviations:
    """Return the pixel metrics of each resample by record key; `times` as from `_resample`."""
    used = np.unique(np.concatenate([table["bin"] for table in tables]))
    counts = np.zeros((3, len(tables), used.size), np.float32)
    for index, table in enumerate(tables):
        columns = np.searchsorted(used, table["bin"])
        counts[:, index, columns] = table["normal"], table["anomalous"], table["weight"]
    batches: list[Deviations] = []
    for start in range(0, len(times), AT_ONCE):
        some = times[start : start + AT_ONCE].astype(np.float32)
        normal, anomalous, weight = (np.asarray(some @ of_images, np.float64) for of_images in counts)
        batches.append({**_rank_metrics(normal, anomalous), "aupro": _aupro(normal, weight, limit)})
    return {f"pixel_{key}": np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def _rank_metrics(normal: NDArray[Any], anomalous: NDArray[Any]) -> Deviations:
    """Return AUROC, average precision and largest F1 per resample; counts (resamples, groups), scores ascending."""
    normals, anomalies = normal.sum(1), anomalous.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = normal.cumsum(1) - normal / 2
        detected = anomalous[:, ::-1].cumsum(1)
        flagged = detected + normal[:, ::-1].cumsum(1)
        precision = np.where(flagged > 0, detected / np.maximum(flagged, 1), 0)
        f1 = 2 * detected / (flagged + anomalies[:, None])
        return {
            "auroc": (anomalous * below).sum(1) / (normals * anomalies),
            "ap": (anomalous[:, ::-1] * precision).sum(1) / anomalies,
            "f1max": f1.max(1),
        }


def _aupro(normal: Float64s, weight: Float64s, limit: float) -> Float64s:
    """Return AUPRO per resample; each group is one straight segment, cut at the limit as in `pro`."""
    allowed = limit * normal.sum(1, keepdims=True)
    greater = normal[:, ::-1].cumsum(1)[:, ::-1] - normal
    room = np.maximum(allowed - greater, 0)
    areas = np.where(normal <= room, room - normal / 2, room**2 / (2 * np.maximum(normal, 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        values: Float64s = (weight * areas).sum(1) / (allowed[:, 0] * weight.sum(1))
    return values
