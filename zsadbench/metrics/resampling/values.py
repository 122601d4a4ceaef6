"""The metrics of resamples, from how often each contains each image.

Of few images, the counts of all pixels are in memory together. Of many, they are added image by image in float64, in
which sums of counts are exact, so memory does not grow with their number.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Float64s, UInt32s
from zsadbench.metrics.resampling.draws import Draws, at_once_of
from zsadbench.metrics.resampling.tables import BITS

AT_ONCE = 250  # resamples of pixels
IN_MEMORY = 32 << 20  # bytes of the counts of all images, above which they are added in parts
OF_SUMS, OF_PART = 48 << 20, 8 << 20  # bytes at once, where they are

Values = dict[str, Float64s]  # record key → (resamples,)
TableOf = Callable[[int], NDArray[Any]]  # number of an image → its table, rows of `BIN`
Sums = tuple[Float64s, Float64s, Float64s]  # normal and anomalous pixels and weights, (resamples, bins) each


def image_metrics(scores: Float64s, draws: Draws) -> Values:
    """Return the image metrics of each resample by record key; `scores` (images,)."""
    order = np.argsort(scores, kind="stable")
    ordered, labels = scores[order], draws.labels[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    at_once = at_once_of(labels.size)
    batches: list[Values] = []
    for start in range(0, draws.size, at_once):
        some = draws.rows(start, min(start + at_once, draws.size))[:, order].astype(np.int64)
        normal, anomalous = (np.add.reduceat(some * of_label, first, axis=1) for of_label in (~labels, labels))
        batches.append(_rank_metrics(normal, anomalous))
    return {f"image_{key}": np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def pixel_metrics(table_of: TableOf, draws: Draws, limit: float) -> Values:
    """Return the pixel metrics of each resample by record key; every image has a table."""
    seen = np.zeros(1 << BITS, np.bool_)
    for image in range(draws.labels.size):
        seen[table_of(image)["bin"]] = True
    used = np.flatnonzero(seen).astype(np.uint32)
    together = 12 * draws.labels.size * used.size <= IN_MEMORY
    batches: list[Values] = []
    for normal, anomalous, weight in (sums_at_once if together else sums_in_parts)(table_of, used, draws):
        batches.append({**_rank_metrics(normal, anomalous), "aupro": _aupro(normal, weight, limit)})
    return {f"pixel_{key}": np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def sums_at_once(table_of: TableOf, used: UInt32s, draws: Draws) -> Iterator[Sums]:
    """Yield the sums of some resamples after the other; counts of all images are in memory, as float32."""
    counts = _counts(table_of, np.arange(draws.labels.size), used, np.float32)
    for start in range(0, draws.size, AT_ONCE):
        some = draws.rows(start, min(start + AT_ONCE, draws.size)).astype(np.float32)
        normal, anomalous, weight = (np.asarray(some @ of_images, np.float64) for of_images in counts)
        yield normal, anomalous, weight


def sums_in_parts(table_of: TableOf, used: UInt32s, draws: Draws) -> Iterator[Sums]:
    """Yield the sums of some resamples after the other; counts of some images at a time are in memory, as float64."""
    of_bins = 3 * 8 * used.size  # bytes
    at_once, step = max(1, OF_SUMS // of_bins), max(1, OF_PART // of_bins)
    for start in range(0, draws.size, at_once):
        stop = min(start + at_once, draws.size)
        sums = np.zeros((3, stop - start, used.size))
        for label, members in enumerate(draws.members):
            for first in range(0, members.size, step):
                some = members[first : first + step]
                times = draws.of_members(label, first, first + some.size, start, stop).astype(np.float64)
                for kind, of_images in enumerate(_counts(table_of, some, used, np.float64)):
                    sums[kind] += times @ of_images
        for row in range(0, stop - start, AT_ONCE):
            normal, anomalous, weight = sums[:, row : row + AT_ONCE]
            yield normal, anomalous, weight


def _counts(table_of: TableOf, images: NDArray[np.int64], used: UInt32s, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Return normal and anomalous pixels and weights of images in the used bins, (3, images, bins)."""
    counts: NDArray[Any] = np.zeros((3, images.size, used.size), dtype)
    for row, image in enumerate(images.tolist()):
        table = table_of(image)
        columns = np.searchsorted(used, table["bin"])
        counts[:, row, columns] = table["normal"], table["anomalous"], table["weight"]
    return counts


def _rank_metrics(normal: NDArray[Any], anomalous: NDArray[Any]) -> Values:
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
