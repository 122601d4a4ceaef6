"""Keep all pixels of a class, so that every count is exact.

Normal scores are never sorted. Anomalous scores are sorted, and every distinct one, and every threshold asked for, gets
two counters: of normal scores equal to it, and of those between it and the next. float32 scores are counted by their
keys, in blocks that fit into the cache (`exact_kernel`). float64 scores, and float32 scores that are spread over too
many pages of keys, are counted by sorting one batch of images after another.

Counting takes about 40 bytes per anomalous pixel and 50 MB, in addition to the kept scores (4 bytes per normal pixel, 8
per anomalous one).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity
from zsadbench.metrics.counting.arrays import Floats, Images, Int64s, UInt32s
from zsadbench.metrics.counting.counts import Counts, missing_values, starts_of
from zsadbench.metrics.counting.groups import Groups, ThresholdPositions
from zsadbench.metrics.counting.image import Image, extremes, keys_of, mask_of_runs, read_images, scores_of
from zsadbench.metrics.counting.spill_buffer import SpillBuffer
from zsadbench.metrics.counting.threads import chunks, run_in_threads, threads_of
from zsadbench.metrics.counting.weights import Weights, pixel_weights, sum_groups

MOST_PAGES = 4096  # of 2¹⁶ keys; each takes 10 KB
BUFFERS = 1 << 23  # scores in the buffers of one thread
TOGETHER = 1 << 22  # scores that are sorted at once, or restored as one block
FULL = 1 << 31  # scores that a 32-bit counter can surely count
NO_RUNS = np.empty((0, 3), np.int64)


class PixelBlock(NamedTuple):
    """Some pixels: the anomalous ones with the area of their region, and the normal ones, between the runs of `scores`.

    `scores` has only normal pixels where there are no `runs`; `least` and `greatest` are the extremes of all pixels.
    """

    scores: Floats
    runs: Int64s
    anomalous: Floats
    area: UInt32s
    regions: int
    least: float
    greatest: float

    @property
    def normals(self) -> int:
        """Number of normal pixels."""
        return int(self.scores.size - (self.runs[:, 1] - self.runs[:, 0]).sum())

    @property
    def normal_scores(self) -> Floats:
        """The scores of the normal pixels."""
        return self.scores[~mask_of_runs(self.runs, self.scores.size)] if len(self.runs) else self.scores


class ExactPixels:
    """All pixels of a class. Without a `spill` buffer, the given images are referred to, not copied."""

    def __init__(self, spill: SpillBuffer | None) -> None:
        self.spill = spill
        self.blocks: list[PixelBlock] = []

    @property
    def regions(self) -> int:
        """Number of regions added so far."""
        return sum(block.regions for block in self.blocks)

    def add(self, images: Sequence[Image], threads: int) -> None:
        """Add images."""
        spill = self.spill
        jobs = chunks(images, threads if len(images) > 1 else 1)
        results = run_in_threads(lambda job: [_block_of(image, copy=spill is not None) for image in job], jobs)
        for block in (block for blocks in results for block in blocks):
            self.blocks.append(block if spill is None else block._replace(scores=spill.put(block.scores)))

    def merge(self, other: Self) -> None:
        """Add the pixels of another."""
        self.blocks.extend(other.blocks)

    def extremes(self) -> tuple[np.floating[Any], np.floating[Any]] | None:
        """Return the least and the greatest score, in the dtype of the scores; None without a pixel."""
        dtype = self._dtype()
        filled = [block for block in self.blocks if block.scores.size or block.anomalous.size]
        if not filled:
            return None
        return dtype.type(min(block.least for block in filled)), dtype.type(max(block.greatest for block in filled))

    def groups(self, thresholds: Floats, threads: int) -> tuple[Groups, ThresholdPositions]:
        """Return a group for each distinct anomalous score and each threshold, and the groups of the thresholds."""
        dtype = self._dtype()
        anomalous, area = self._anomalous(dtype)
        scores, numbers, weights = _group_by_score(anomalous, area)
        added = missing_values(scores, np.asarray(thresholds, dtype) + dtype.type(0))  # as groups without a pixel
        positions = np.searchsorted(scores, added)
        low, high = np.insert(weights.low, positions, 0), np.insert(weights.high, positions, 0)
        scores, numbers = np.insert(scores, positions, added), np.insert(numbers, positions, 0)
        normals = sum(block.normals for block in self.blocks)
        greater, equal = self._count(scores, normals, threads)
        counts = Counts(numbers, greater, equal, normals, int(anomalous.size))
        group = np.searchsorted(scores, np.asarray(thresholds, dtype))
        certain = ThresholdPositions(group, np.zeros(group.shape, np.bool_))
        return Groups(counts, Weights(low, high).values, scores), certain

    def state(self) -> dict[str, NDArray[Any]]:
        """Return sorted normal scores, anomalous scores with the area of their region, and the number of regions."""
        dtype = self._dtype()
        normal = np.concatenate([np.empty(0, dtype), *(block.normal_scores for block in self.blocks)]) + dtype.type(0)
        anomalous, area = self._anomalous(dtype)
        anomalous = anomalous + dtype.type(0)
        order = np.lexsort((area, anomalous))
        normal.sort()
        regions = np.array(self.regions)
        return {"normal": normal, "anomalous": anomalous[order], "area": area[order], "regions": regions}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Replace all pixels by those of a state.

        Raises:
            ValueError: the sizes of the arrays do not fit together.
        """
        normal, anomalous, area = (np.ascontiguousarray(state[name]) for name in ("normal", "anomalous", "area"))
        if anomalous.shape != area.shape:
            raise ValueError("the state has not one area for each anomalous score")
        (normal_least, normal_greatest, _), (anomalous_least, anomalous_greatest, _) = map(
            extremes, (normal, anomalous)
        )
        least = float(np.fmin(normal_least, anomalous_least))
        greatest = float(np.fmax(normal_greatest, anomalous_greatest))
        no_normal = PixelBlock(normal[:0], NO_RUNS, anomalous, area, int(state["regions"]), least, greatest)
        empty = no_normal._replace(anomalous=anomalous[:0], area=area[:0], regions=0)
        pieces = [normal[start : start + TOGETHER] for start in range(0, normal.size, TOGETHER)]
        self.blocks = [no_normal, *(empty._replace(scores=piece) for piece in pieces)]

    def _dtype(self) -> np.dtype[Any]:
        arrays = (array for block in self.blocks for array in (block.scores, block.anomalous))
        return np.result_type(np.float32, *(array.dtype for array in arrays))

    def _anomalous(self, dtype: np.dtype[Any]) -> tuple[Floats, UInt32s]:
        """Return the scores of all anomalous pixels, and the area of the region of each."""
        scores = np.concatenate([np.empty(0, dtype), *(block.anomalous for block in self.blocks)])
        return scores, np.concatenate([np.empty(0, np.uint32), *(block.area for block in self.blocks)])

    def _count(self, scores: Floats, normals: int, threads: int) -> tuple[Int64s, Int64s]:
        """Count the normal scores above, and equal to, each of some ascending distinct scores."""
        if scores.dtype == np.float32:
            keys = keys_of(scores)
            pages = (keys >> 16)[starts_of(keys >> 16)]
            if pages.size <= MOST_PAGES and self.blocks:
                return _count_keys(self.blocks, keys, pages, normals, threads)
        return _count_by_sorting(self.blocks, scores)


def _block_of(image: Image, *, copy: bool) -> PixelBlock:
    """Return the pixels of an image: anomalous ones copied, normal ones copied only if `copy`."""
    if image.scores.dtype == np.float32:
        from zsadbench.metrics.counting.keys_kernel import separate

        normal_bits, anomalous_bits, area = separate(image.scores.view(np.uint32), image.runs, image.areas, copy)
        normal, anomalous = normal_bits.view(np.float32), anomalous_bits.view(np.float32)
    else:
        normal, anomalous = image.scores[~image.mask], image.scores[image.mask]
        lengths = image.runs[:, 1] - image.runs[:, 0]
        area = np.repeat(image.areas[image.runs[:, 2]].astype(np.uint32), lengths)
    scores, runs = (normal, NO_RUNS) if copy else (image.scores, image.runs)
    return PixelBlock(scores, runs, anomalous, area, len(image.areas), image.least, image.greatest)


def _group_by_score(anomalous: Floats, area: UInt32s) -> tuple[Floats, Int64s, Weights]:
    """Return the distinct anomalous scores in ascending order, the number of pixels of each, and their weights."""
    if anomalous.dtype == np.float32:  # key and area packed into one word are sorted many times faster
        packed = (keys_of(anomalous).astype(np.uint64) << np.uint64(32)) | area
        packed.sort()
        anomalous, area = scores_of((packed >> np.uint64(32)).astype(np.uint32)), packed.astype(np.uint32)
        del packed
    else:
        order = np.argsort(anomalous, kind="stable")
        anomalous, area = anomalous[order] + 0.0, area[order]
    first = starts_of(anomalous)
    words = pixel_weights(area)
    weights = sum_groups(Weights(words, np.zeros_like(words)), first)
    return anomalous[first], np.diff(first, append=anomalous.size), weights


def _count_keys(
    blocks: Sequence[PixelBlock], keys: UInt32s, pages: NDArray[Any], normals: int, threads: int
) -> tuple[Int64s, Int64s]:
    """Count the normal scores above, and at, each of ascending distinct keys, which lie in `pages`."""
    from zsadbench.metrics.counting import exact_kernel as kernel

    slot_of = np.full(kernel.PAGES, -1, np.int32)
    slot_of[pages] = np.arange(pages.size)
    marked = kernel.mark_keys(keys, slot_of, pages.size)
    room = np.uint64(np.clip(BUFFERS // max(pages.size, 1), 256, 8192))

    def work(job: Sequence[PixelBlock]) -> tuple[NDArray[Any], Int64s]:
        buffers, filled = np.empty(pages.size * int(room), np.uint16), np.zeros(pages.size, np.uint64)
        counters, elsewhere = np.zeros(marked.first[-1], np.uint32), np.zeros(kernel.PAGES, np.int64)
        into = kernel.Counters(room, buffers, filled, counters, elsewhere)
        total, counted = np.zeros(1, np.int64), 0
        for block in job:
            if counted + block.scores.size > FULL:
                kernel.empty_all(marked, into)
                total = total + counters
                counters[:], counted = 0, 0
            kernel.count_scores(block.scores.view(np.uint32), block.runs, marked, into)
            counted += block.scores.size
        kernel.empty_all(marked, into)
        return total + counters if total.size > 1 else counters, elsewhere

    results = run_in_threads(work, chunks(blocks, threads))
    counters, elsewhere = np.zeros(marked.first[-1], np.int64), np.zeros(kernel.PAGES, np.int64)
    while results:  # each result is released once it is added
        of_thread, elsewhere_of_thread = results.pop()
        counters += of_thread
        elsewhere += elsewhere_of_thread
    at = 2 * np.arange(keys.size) + slot_of[keys >> 16] + 1  # each page before has one counter more than two per key
    equal = counters[at]
    np.cumsum(counters, out=counters)
    return normals - counters[at] - elsewhere.cumsum()[keys >> 16], equal


def _count_by_sorting(blocks: Sequence[PixelBlock], scores: Floats) -> tuple[Int64s, Int64s]:
    """Count the normal scores above, and equal to, each of some ascending distinct scores, by sorting the blocks."""
    greater, equal = np.zeros(scores.size, np.int64), np.zeros(scores.size, np.int64)
    together: list[Floats] = []
    for number, block in enumerate(blocks, 1):
        together.append(block.normal_scores)
        if number < len(blocks) and sum(normal.size for normal in together) < TOGETHER:
            continue
        ascending = np.sort(np.concatenate(together))
        up_to = np.searchsorted(ascending, scores, side="right")
        equal += up_to - np.searchsorted(ascending, scores, side="left")
        greater += ascending.size - up_to
        together = []
    return greater, equal


def pixels_in_memory(scores: Images, masks: Images, connectivity: int = 8) -> ExactPixels:
    """Read all images of a class: maps and masks (n, height, width), or lists of n arrays of different sizes.

    Raises:
        ValueError: shapes differ, a mask value is invalid, a map has a NaN, or the connectivity is neither 4 nor 8.
    """
    threads = threads_of(None)
    pixels = ExactPixels(None)
    pixels.add(read_images(scores, masks, checked_connectivity(connectivity), threads), threads)
    return pixels


def groups_in_memory(scores: Images, masks: Images, connectivity: int = 8) -> Groups:
    """Group all pixels of a class by distinct anomalous score; arguments and errors are those of `pixels_in_memory`."""
    return pixels_in_memory(scores, masks, connectivity).groups(np.empty(0, np.float32), threads_of(None))[0]
