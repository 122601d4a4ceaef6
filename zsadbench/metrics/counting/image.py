"""One image of a class: its scores, the runs of anomalous pixels in its mask, and the regions that they form."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import TWO_KINDS, map_mask_pairs
from zsadbench.metrics.counting.arrays import Bools, Floats, Images, Int64s, UInt8s, UInt32s
from zsadbench.metrics.counting.threads import chunks, run_in_threads

SMALL = 1 << 20  # pixels; for fewer, one thread is faster
INFINITY_KEYS = 0xFF800000, 0x007FFFFF  # the keys of +inf and -inf; those of NaN lie beyond


class Image(NamedTuple):
    """Scores (pixels,) float32 or float64, in raster order; never written to.

    `runs` (runs, 3) are the first flat index, the index after the last and the region of each run of anomalous pixels;
    `areas` (regions,) int64 is in pixels. `least` and `greatest` are the extreme scores, NaN without a pixel; `union`
    is the bitwise or of the bits of float32 scores; `width` is that of the image in pixels.
    """

    scores: Floats
    runs: Int64s
    areas: Int64s
    least: float
    greatest: float
    union: int = 0
    width: int = 0

    @property
    def anomalous_scores(self) -> Floats:
        """The scores of the anomalous pixels, in raster order."""
        if self.scores.dtype != np.float32:
            return self.scores[self.mask]
        from zsadbench.metrics.counting.keys_kernel import separate

        return separate(self.scores.view(np.uint32), self.runs, self.areas, False)[1].view(np.float32)

    @property
    def mask(self) -> Bools:
        """Whether each pixel is anomalous, (pixels,)."""
        return mask_of_runs(self.runs, self.scores.size)

    @property
    def border_distances(self) -> Int64s:
        """Number of pixels between each region and the nearest border of the image, (regions,); 0 if it touches."""
        from zsadbench.metrics.counting.regions_kernel import border_distances

        width = max(self.width, 1)
        return border_distances(self.runs, len(self.areas), width, self.scores.size // width)

    def scores_by_region(self) -> list[Floats]:
        """Return the scores of each region."""
        from zsadbench.metrics.counting.regions_kernel import sort_by_region

        if not len(self.areas):
            return []
        scores = sort_by_region(self.scores, self.runs, self.areas)
        regions: list[Floats] = np.split(scores, self.areas.cumsum()[:-1])
        return regions


def read_images(scores: Images, masks: Images, corners: bool, threads: int) -> list[Image]:
    """Check maps and masks and label the regions; arrays are not copied where dtype and layout allow.

    Raises:
        ValueError: shapes differ, a mask value is invalid, or a map has a NaN; the message names the index of the
            image.
    """
    pairs = list(enumerate(map_mask_pairs(scores, masks)))
    large = sum(anomaly_map.size for _, (anomaly_map, _) in pairs) > SMALL
    jobs = chunks(pairs, threads if large else 1)
    return [image for job in run_in_threads(lambda job: _read_chunk(job, corners), jobs) for image in job]


def _read_chunk(pairs: Sequence[tuple[int, tuple[Floats, UInt8s]]], corners: bool) -> list[Image]:
    from zsadbench.metrics.counting.regions_kernel import label_runs

    images = []
    for index, (anomaly_map, mask) in pairs:
        runs, areas = label_runs(mask, corners)
        if len(runs) == 1 and not areas.size:
            raise ValueError(f"masks[{index}] {TWO_KINDS}")
        scores = anomaly_map.reshape(-1)
        try:
            images.append(Image(scores, runs, areas, *extremes(scores), mask.shape[1]))
        except ValueError as failure:
            raise ValueError(f"scores[{index}] {failure}") from failure
    return images


def as_float32(image: Image) -> tuple[Image, bool]:
    """Return the image with float32 scores, and whether a score was rounded."""
    if image.scores.dtype == np.float32:
        return image, False
    with np.errstate(over="ignore"):
        scores = image.scores.astype(np.float32)
    low, high, union = extremes(scores)
    narrow = image._replace(scores=scores, least=low, greatest=high, union=union)
    return narrow, not np.array_equal(scores, image.scores)


def extremes(scores: Floats) -> tuple[float, float, int]:
    """Return the least and the greatest score, and the bitwise or of all bits of float32 scores (else 0).

    Raises:
        ValueError: a score is NaN.
    """
    if not scores.size:
        return np.nan, np.nan, 0
    if scores.dtype == np.float64:
        low, high = float(scores.min()), float(scores.max())
        if np.isnan(high):
            raise ValueError("contains NaN")
        return low, high, 0
    from zsadbench.metrics.counting.keys_kernel import scan

    least, greatest, union = scan(scores.view(np.uint32))
    if greatest > INFINITY_KEYS[0] or least < INFINITY_KEYS[1]:
        raise ValueError("contains NaN")
    low, high = scores_of(np.array([least, greatest], np.uint32)).tolist()
    return low, high, int(union)


def keys_of(scores: NDArray[np.float32]) -> UInt32s:
    """Return unsigned integers that are ordered like the scores; -0.0 has the key of 0.0."""
    bits = (scores + np.float32(0)).view(np.uint32)
    keys: UInt32s = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return keys


def scores_of(keys: UInt32s) -> NDArray[np.float32]:
    """Return the scores of keys."""
    bits: UInt32s = np.where(keys >> 31, keys ^ np.uint32(1 << 31), ~keys)
    return bits.view(np.float32)


def key_of(score: float) -> int:
    """Return the key of a single score."""
    return int(keys_of(np.array([score], np.float32))[0])


def mask_of_runs(runs: Int64s, pixels: int) -> Bools:
    """Return whether each pixel lies in a run, (pixels,)."""
    steps = np.zeros(pixels + 1, np.int8)
    steps[runs[:, 0]] += 1
    steps[runs[:, 1]] -= 1
    return steps[:-1].cumsum(dtype=np.int8).astype(np.bool_)
