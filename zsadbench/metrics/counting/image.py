"""One image of a class, read once: its scores, its anomalous runs, its regions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import TWO_KINDS, Floats, Images, Marks, images
from zsadbench.metrics.counting.threads import ranges, side_by_side

SMALL = 1 << 20  # pixels that are not worth a thread
INFINITY = 0xFF800000, 0x007FFFFF  # the keys of +inf and -inf; what lies beyond is NaN


class Image(NamedTuple):
    """Scores (pixels,) float32 or float64, in raster order and never written to.

    `runs` (k, 3) are the first flat index, the index after the last and the region of each anomalous run,
    `areas` (regions,) int64. `least` and `greatest` are extreme scores, nan and nan without a pixel; `union`
    is the bitwise or of the bits of float32 scores; `width` is that of the image in pixels.
    """

    scores: Floats
    runs: NDArray[np.int64]
    areas: NDArray[np.int64]
    least: float
    greatest: float
    union: int = 0
    width: int = 0

    @property
    def inside(self) -> Floats:
        """The scores of the anomalous pixels, in raster order."""
        if self.scores.dtype != np.float32:
            return self.scores[self.flags]
        from zsadbench.metrics.counting.keys_kernel import separate

        return separate(self.scores.view(np.uint32), self.runs, self.areas, False)[1].view(np.float32)

    @property
    def borders(self) -> NDArray[np.int64]:
        """How many pixels lie between each region and the nearest border, (regions,); 0 where it touches."""
        from zsadbench.metrics.counting.regions_kernel import border_distances

        width = max(self.width, 1)
        return border_distances(self.runs, len(self.areas), width, self.scores.size // width)

    def by_region(self) -> list[Floats]:
        """The scores of each region."""
        from zsadbench.metrics.counting.regions_kernel import by_region

        if not len(self.areas):
            return []
        found: list[Floats] = np.split(by_region(self.scores, self.runs, self.areas), self.areas.cumsum()[:-1])
        return found

    @property
    def flags(self) -> NDArray[np.bool_]:
        """Whether each pixel is anomalous (pixels,)."""
        return flags_of(self.runs, self.scores.size)


def read(scores: Images, masks: Images, corners: bool, threads: int) -> list[Image]:
    """Check images and find their regions; arrays are shared with the arguments where their form allows.

    Raises:
        ValueError: shapes differ, a mask value cannot be right, or a map has a NaN; the message names the
            index of the image.
    """
    pairs = list(enumerate(images(scores, masks)))
    worth_it = sum(one.size for _, (one, _) in pairs) > SMALL
    parts = ranges(pairs, threads if worth_it else 1)
    return [image for part in side_by_side(lambda part: _read_all(part, corners), parts) for image in part]


def _read_all(part: Sequence[tuple[int, tuple[Floats, Marks]]], corners: bool) -> list[Image]:
    from zsadbench.metrics.counting.regions_kernel import label_runs

    found = []
    for index, (one_map, mask) in part:
        runs, areas = label_runs(mask, corners)
        if len(runs) == 1 and not areas.size:
            raise ValueError(f"masks[{index}] {TWO_KINDS}")
        try:
            found.append(Image(one_map.reshape(-1), runs, areas, *extremes(one_map.reshape(-1)), mask.shape[1]))
        except ValueError as failure:
            raise ValueError(f"scores[{index}] {failure}") from failure
    return found


def as_float32(image: Image) -> tuple[Image, bool]:
    """The image with scores of float32, and whether that rounded one."""
    if image.scores.dtype == np.float32:
        return image, False
    with np.errstate(over="ignore"):
        scores = image.scores.astype(np.float32)
    low, high, union = extremes(scores)
    narrow = image._replace(scores=scores, least=low, greatest=high, union=union)
    return narrow, not np.array_equal(scores, image.scores)


def extremes(scores: Floats) -> tuple[float, float, int]:
    """The least and the greatest score, and the bitwise or of all bits where they are float32.

    Raises:
        ValueError: one is NaN.
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
    if greatest > INFINITY[0] or least < INFINITY[1]:
        raise ValueError("contains NaN")
    low, high = scores_of(np.array([least, greatest], np.uint32)).tolist()
    return low, high, int(union)


def keys_of(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Unsigned integers that order like the scores; -0.0 has the key of 0.0."""
    bits = (scores + np.float32(0)).view(np.uint32)
    keys: NDArray[np.uint32] = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return keys


def scores_of(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The scores of keys."""
    bits: NDArray[np.uint32] = np.where(keys >> 31, keys ^ np.uint32(1 << 31), ~keys)
    return bits.view(np.float32)


def key_of(score: float) -> int:
    """The key of one score."""
    return int(keys_of(np.array([score], np.float32))[0])


def flags_of(runs: NDArray[np.int64], pixels: int) -> NDArray[np.bool_]:
    """Whether each of some pixels lies in a run."""
    edges = np.zeros(pixels + 1, np.int8)
    edges[runs[:, 0]] += 1
    edges[runs[:, 1]] -= 1
    return edges[:-1].cumsum(dtype=np.int8).astype(np.bool_)
