"""How far the metrics of a class would move with other images: intervals by resampling images.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

Images are drawn again with replacement, normal and anomalous ones apart, so a class keeps its numbers; a pixel is
never drawn by itself, because the pixels of an image move together. What varies is a metric of the drawn
images less that of all images, and an interval lays this variation around the value itself, which stays exact.
Two methods are compared on the same draws, so what both owe to an easy image cancels, and a method compared
with itself differs by exactly 0. Intervals say nothing about other seeds, other training or other data sets.

Pixels are kept image by image, counted by the first 14 bits of their keys, with the weight of regions: a few
kilobytes an image, coarse, and used for the variation alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import Images, checked_connectivity, checked_limit, labelled
from zsadbench.metrics.counting.cells import BITS as CELL_BITS
from zsadbench.metrics.counting.cells import Cells, cells_of
from zsadbench.metrics.counting.image import Image, as_float32, read
from zsadbench.metrics.names import DEFAULT_LIMIT

BITS = 14
COARSER = CELL_BITS - BITS
AT_ONCE = 250  # draws

Values = NDArray[np.float64]
Deviations = dict[str, Values]


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
        """Take in one batch; `names` tell its images from all others, the rest is as in `ClassMetrics.update`.

        Raises:
            ValueError: as in `ClassMetrics.update`, or a name came before.
        """
        scores, flags = np.asarray(image_scores, np.float64), np.asarray(labels).astype(np.bool_)
        labelled(scores, labels, ndim=1)
        images: Sequence[Image | None] = [None] * scores.size
        if maps is not None and masks is not None:
            images = read(maps, masks, self._corners, 1)
        if not len(names) == len(images) == scores.size:
            raise ValueError(f"{len(names)} names, {len(images)} maps and {scores.size} scores do not go together")
        again = [name for name in names if name in self._images]
        if again or len(set(names)) < len(names):
            raise ValueError(f"image '{(again or list(names))[0]}' came before, or twice in this batch")
        for name, score, flag, image in zip(names, scores.tolist(), flags.tolist(), images, strict=True):
            narrow = as_float32(image)[0] if image is not None else None
            self.take(name, score, flag, narrow, cells_of(narrow) if narrow is not None else None)

    def take(self, name: str, score: float, label: bool, image: Image | None, cells: Cells | None) -> None:
        """Take in one new image that was read, checked and counted already; its scores are float32."""
        self._images[name] = (score, label, _counted(image, cells) if image is not None and cells else None)

    @property
    def labels(self) -> dict[str, bool]:
        """Whether each image is anomalous."""
        return {name: found[1] for name, found in self._images.items()}

    def merge(self, other: Self) -> Self:
        """Take in the images of another, and return self.

        Raises:
            ValueError: both have an image of one name.
        """
        both = self._images.keys() & other._images.keys()
        if both:
            raise ValueError(f"image '{min(both)}' is in both")
        self._images |= other._images
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """All images by name, as arrays without objects, for `numpy.savez_compressed`."""
        names = sorted(self._images)
        tables = [table for name in names if (table := self._images[name][2]) is not None]
        return {
            "names": np.array(names, np.str_),
            "scores": np.array([self._images[name][0] for name in names]),
            "labels": np.array([self._images[name][1] for name in names], np.bool_),
            "corners": np.array(self._corners),
            "lengths": np.array([len(table) for table in tables], np.uint32),
            **{field: np.concatenate([np.empty(0, ROW), *tables])[field] for field in ROW.names or ()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The images of a state.

        Raises:
            ValueError: an array is missing, or their sizes do not fit.
        """
        missing = {"names", "scores", "labels", "corners", "lengths", *(ROW.names or ())} - set(state)
        if missing:
            raise ValueError(f"the state lacks {', '.join(sorted(missing))}")
        names, lengths = state["names"].tolist(), state["lengths"].astype(np.int64)
        if lengths.size not in (0, len(names)) or lengths.sum() != state["bin"].size:
            raise ValueError("the state has not one table for each image")
        rows = np.empty(state["bin"].size, ROW)
        for field in ROW.names or ():
            rows[field] = state[field]
        tables = np.split(rows, lengths.cumsum()[:-1]) if lengths.size else [None] * len(names)
        found = cls(connectivity=8 if state["corners"] else 4)
        scores, labels = state["scores"].tolist(), state["labels"].tolist()
        found._images = dict(zip(names, zip(scores, labels, tables, strict=True), strict=True))
        return found

    def deviations(
        self, draws: int = 2000, seed: int | Sequence[int] = 0, *, limit: float = DEFAULT_LIMIT, pixels: bool = True
    ) -> Deviations:
        """Record key → (draws,): each metric of the drawn images less that of all images.

        Metrics that the class does not define are left out, pixel metrics where `pixels` is false. The same seed
        draws the same images by name for every method.

        Raises:
            ValueError: the limit is not in (0, 1].
        """
        names = sorted(self._images)
        labels = np.array([self._images[name][1] for name in names], np.bool_)
        scores = np.array([self._images[name][0] for name in names])
        drawn = np.vstack([np.ones((1, labels.size), np.int64), _draws(labels, draws, seed)])
        found: Deviations = {}
        if labels.any() and not labels.all():
            found = _of_images(scores, labels, drawn)
        tables = [self._images[name][2] for name in names]
        if pixels and tables and all(table is not None for table in tables):
            found |= _of_pixels([table for table in tables if table is not None], drawn, checked_limit(limit))
        return {key: values[1:] - values[0] for key, values in found.items() if np.isfinite(values).all()}


ROW = np.dtype([("bin", np.uint16), ("normal", np.uint32), ("anomalous", np.uint32), ("weight", np.float32)])


def interval(value: float, deviations: Values, level: float = 0.95) -> tuple[float, float]:
    """The interval around a value within which such a share of the deviations lies, cut to [0, 1].

    >>> interval(0.9, np.array([-0.02, 0.0, 0.02]), 0.5)
    (0.89, 0.91)
    """
    low, high = np.quantile(deviations, ((1 - level) / 2, (1 + level) / 2)).tolist()
    return max(value + low, 0.0), min(value + high, 1.0)


def mean_of(classes: Sequence[Deviations]) -> Deviations:
    """The deviations of the mean over classes, each drawn by itself; of a metric, over the classes that have it."""
    keys = dict.fromkeys(key for one in classes for key in one)
    return {key: np.mean([one[key] for one in classes if key in one], axis=0) for key in keys}


def differences(
    one: BootstrapCounts, other: BootstrapCounts, draws: int = 2000, seed: int | Sequence[int] = 0
) -> Deviations:
    """The deviations of the difference `one` less `other` of two methods, on the same draws.

    Raises:
        ValueError: the two have not seen the same images.
    """
    if one.labels != other.labels:
        raise ValueError("methods are compared on the same images, but these have not seen the same")
    first, second = one.deviations(draws, seed), other.deviations(draws, seed)
    return {key: first[key] - second[key] for key in first if key in second}


def _counted(image: Image, cells: Cells) -> NDArray[Any]:
    """The pixels of an image by the first bits of their keys: rows of `ROW`, bins ascending."""
    from zsadbench.metrics.counting.cells_kernel import coarsened

    bits, by, shift = image.scores.view(np.uint32), np.uint64(COARSER), np.uint64(32 - BITS)
    columns = coarsened((cells.names, cells.numbers), bits, (image.runs, image.areas), by, shift)
    rows = np.empty(columns[0].size, ROW)
    for field, column in zip(ROW.names or (), columns, strict=True):
        rows[field] = column
    return rows


def _draws(labels: NDArray[np.bool_], draws: int, seed: int | Sequence[int]) -> NDArray[np.int64]:
    """How often each image is drawn (draws, images); as many of each label as there are."""
    rng = np.random.default_rng(seed)
    times = np.zeros((draws, labels.size), np.int64)
    for label in (False, True):
        places = np.flatnonzero(labels == label)
        if places.size:
            chosen = rng.integers(0, places.size, (draws, places.size))
            flat = (chosen + np.arange(draws)[:, None] * places.size).reshape(-1)
            times[:, places] = np.bincount(flat, minlength=draws * places.size).reshape(draws, -1)
    return times


def _of_images(scores: Values, labels: NDArray[np.bool_], drawn: NDArray[np.int64]) -> Deviations:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    normal = np.add.reduceat(drawn[:, order] * ~labels[order], first, axis=1)
    anomalous = np.add.reduceat(drawn[:, order] * labels[order], first, axis=1)
    return {f"image_{key}": values for key, values in _ranked(normal, anomalous).items()}


def _of_pixels(tables: Sequence[NDArray[Any]], drawn: NDArray[np.int64], limit: float) -> Deviations:
    used = np.unique(np.concatenate([table["bin"] for table in tables]))
    counts = np.zeros((3, len(tables), used.size), np.float32)
    for index, table in enumerate(tables):
        places = np.searchsorted(used, table["bin"])
        counts[:, index, places] = table["normal"], table["anomalous"], table["weight"]
    found: list[Deviations] = []
    for start in range(0, len(drawn), AT_ONCE):
        times = drawn[start : start + AT_ONCE].astype(np.float32)
        normal, anomalous, weight = (np.asarray(times @ one, np.float64) for one in counts)
        found.append({**_ranked(normal, anomalous), "aupro": _aupro(normal, weight, limit)})
    return {f"pixel_{key}": np.concatenate([one[key] for one in found]) for key in found[0]}


def _ranked(normal: NDArray[Any], anomalous: NDArray[Any]) -> Deviations:
    """AUROC, average precision and the largest F1 of each row: counts of groups, scores ascending."""
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


def _aupro(normal: Values, weight: Values, limit: float) -> Values:
    """AUPRO of each row, a group being one straight piece."""
    allowed = limit * normal.sum(1, keepdims=True)
    greater = normal[:, ::-1].cumsum(1)[:, ::-1] - normal
    room = np.maximum(allowed - greater, 0)
    areas = np.where(normal <= room, room - normal / 2, room**2 / (2 * np.maximum(normal, 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Values = (weight * areas).sum(1) / (allowed[:, 0] * weight.sum(1))
    return found
