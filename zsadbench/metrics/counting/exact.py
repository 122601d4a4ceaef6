"""The pixels of a class, all of them kept: every count is exact.

Normal scores are never sorted. Anomalous ones are, and each distinct one, with every score that is asked
for besides, gets two counters: normal scores at it, and between it and the next. float32 scores are
counted by keys, in blocks that fit into the cache (`_exact_kernel`); float64 scores, and float32 ones that
are spread over too many blocks, by sorting one neighbourhood of images after another.

Beside the kept scores (4 bytes a normal pixel, 8 an anomalous one) counting takes about 40 bytes an
anomalous pixel and 50 MB.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Floats
from zsadbench.metrics.counting.counts import Counts, absent, starts_of
from zsadbench.metrics.counting.groups import Groups, Places
from zsadbench.metrics.counting.image import Image, extremes, flags_of, keys_of, scores_of
from zsadbench.metrics.counting.spill_buffer import SpillBuffer
from zsadbench.metrics.counting.threads import ranges, side_by_side
from zsadbench.metrics.counting.weights import Weights, pixel_weights, summed

MOST_PAGES = 4096  # of 2¹⁶ keys; each takes 10 KB
BUFFERS = 1 << 23  # scores in the buffers of one thread
TOGETHER = 1 << 22  # scores that are sorted at once, or restored as one part
FULL = 1 << 31  # scores that a 32-bit counter can surely take
NO_RUNS = np.empty((0, 3), np.int64)


class Part(NamedTuple):
    """Some pixels: anomalous ones with the area of their region, and normal ones, between the runs of `scores`."""

    scores: Floats
    runs: NDArray[np.int64]
    anomalous: Floats
    area: NDArray[np.uint32]
    regions: int
    least: float
    greatest: float

    @property
    def normals(self) -> int:
        """Normal pixels."""
        return int(self.scores.size - (self.runs[:, 1] - self.runs[:, 0]).sum())


class ExactPixels:
    """All pixels of a class. Where `spill` is None, images are kept as they were given, not copied."""

    def __init__(self, spill: SpillBuffer | None) -> None:
        self.spill = spill
        self.parts: list[Part] = []

    @property
    def regions(self) -> int:
        """Regions seen so far."""
        return sum(part.regions for part in self.parts)

    def add(self, images: Sequence[Image], threads: int) -> None:
        """Take in images."""
        spill = self.spill
        jobs = ranges(images, threads if len(images) > 1 else 1)
        made = side_by_side(lambda job: [_part(image, spill is not None) for image in job], jobs)
        for part in (part for job in made for part in job):
            self.parts.append(part if spill is None else part._replace(scores=spill.put(part.scores)))

    def merge(self, other: Self) -> None:
        """Take in the pixels of another."""
        self.parts.extend(other.parts)

    def extremes(self) -> tuple[np.floating[Any], np.floating[Any]] | None:
        """The least and the greatest score, in the dtype of the scores; None without a pixel."""
        dtype = self._dtype()
        seen = [part for part in self.parts if part.scores.size or part.anomalous.size]
        if not seen:
            return None
        return dtype.type(min(part.least for part in seen)), dtype.type(max(part.greatest for part in seen))

    def groups(self, cuts: Floats, threads: int) -> tuple[Groups, Places]:
        """A group for each distinct anomalous score and each of `cuts`; and where the cuts lie."""
        normals = sum(part.normals for part in self.parts)
        dtype = self._dtype()
        anomalous = np.concatenate([np.empty(0, dtype), *(part.anomalous for part in self.parts)])
        area = np.concatenate([np.empty(0, np.uint32), *(part.area for part in self.parts)])
        values, numbers, weights = _distinct(anomalous, area)
        values, numbers, weights = _with(values, numbers, weights, np.asarray(cuts, dtype) + dtype.type(0))
        greater, equal = self._count(values, normals, threads)
        counts = Counts(numbers, greater, equal, normals, int(anomalous.size))
        at = np.searchsorted(values, np.asarray(cuts, dtype))
        return Groups(counts, weights.values, values), Places(at, np.zeros(at.shape, np.bool_))

    def state(self) -> dict[str, NDArray[Any]]:
        """Sorted normal scores, and anomalous ones with the area of their region; the number of regions."""
        dtype = self._dtype()
        normal = np.concatenate([np.empty(0, dtype), *(_normal(part) for part in self.parts)]) + dtype.type(0)
        anomalous = np.concatenate([np.empty(0, dtype), *(part.anomalous for part in self.parts)]) + dtype.type(0)
        area = np.concatenate([np.empty(0, np.uint32), *(part.area for part in self.parts)])
        order = np.lexsort((area, anomalous))
        normal.sort()
        found = {"normal": normal, "anomalous": anomalous[order], "area": area[order]}
        return {**found, "regions": np.array(self.regions)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take in the pixels of a state.

        Raises:
            ValueError: arrays do not fit.
        """
        normal, anomalous, area = (np.ascontiguousarray(state[name]) for name in ("normal", "anomalous", "area"))
        if anomalous.shape != area.shape:
            raise ValueError("the state has not one area for each anomalous score")
        (low, high, _), (low_too, high_too, _) = extremes(normal), extremes(anomalous)
        least, greatest = float(np.fmin(low, low_too)), float(np.fmax(high, high_too))
        nothing = Part(normal[:0], NO_RUNS, anomalous, area, int(state["regions"]), least, greatest)
        pieces = [normal[start : start + TOGETHER] for start in range(0, normal.size, TOGETHER)]
        empty = nothing._replace(anomalous=anomalous[:0], area=area[:0], regions=0)
        self.parts = [nothing, *(empty._replace(scores=piece) for piece in pieces)]

    def _dtype(self) -> np.dtype[Any]:
        return np.result_type(np.float32, *(one.dtype for part in self.parts for one in (part.scores, part.anomalous)))

    def _count(self, values: Floats, normals: int, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Normal scores above, and at, each of ascending distinct values."""
        if values.dtype == np.float32:
            keys = keys_of(values)
            pages = (keys >> 16)[starts_of(keys >> 16)]
            if pages.size <= MOST_PAGES and self.parts:
                return _count_keys(self.parts, keys, pages, normals, threads)
        return _count_by_sorting(self.parts, values)


def _part(image: Image, keep: bool) -> Part:
    """An image with its anomalous pixels apart, and its normal ones too where they are to be kept."""
    regions = len(image.areas)
    if image.scores.dtype == np.float32:
        from zsadbench.metrics.counting.keys_kernel import separate

        bits = image.scores.view(np.uint32)
        outside, inside, area = separate(bits, image.runs, image.areas, keep)
        normal, anomalous = outside.view(np.float32), inside.view(np.float32)
    else:
        normal, anomalous = image.scores[~image.flags], image.scores[image.flags]
        lengths = image.runs[:, 1] - image.runs[:, 0]
        area = np.repeat(image.areas[image.runs[:, 2]].astype(np.uint32), lengths)
    scores, runs = (normal, NO_RUNS) if keep else (image.scores, image.runs)
    return Part(scores, runs, anomalous, area, regions, image.least, image.greatest)


def _normal(part: Part) -> Floats:
    return part.scores[~flags_of(part.runs, part.scores.size)] if len(part.runs) else part.scores


def _distinct(anomalous: Floats, area: NDArray[np.uint32]) -> tuple[Floats, NDArray[np.int64], Weights]:
    """Distinct anomalous scores in ascending order, how often each occurs, and the weight of its pixels."""
    if anomalous.dtype == np.float32:  # keys and areas in one word each are sorted many times faster
        packed = (keys_of(anomalous).astype(np.uint64) << np.uint64(32)) | area
        packed.sort()
        anomalous, area = scores_of((packed >> np.uint64(32)).astype(np.uint32)), packed.astype(np.uint32)
        del packed
    else:
        order = np.argsort(anomalous, kind="stable")
        anomalous, area = anomalous[order] + 0.0, area[order]
    first = starts_of(anomalous)
    words = pixel_weights(area)
    weights = summed(Weights(words, np.zeros_like(words)), first)
    return anomalous[first], np.diff(first, append=anomalous.size), weights


def _with(
    values: Floats, numbers: NDArray[np.int64], weights: Weights, cuts: Floats
) -> tuple[Floats, NDArray[np.int64], Weights]:
    """The groups with an empty one for each cut that is not among the values."""
    new = absent(values, cuts)
    places = np.searchsorted(values, new)
    low, high = np.insert(weights.low, places, 0), np.insert(weights.high, places, 0)
    return np.insert(values, places, new), np.insert(numbers, places, 0), Weights(low, high)


def _count_keys(
    parts: Sequence[Part], keys: NDArray[np.uint32], pages: NDArray[Any], normals: int, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Normal scores above, and at, each of ascending distinct keys, which lie in `pages`."""
    from zsadbench.metrics.counting import exact_kernel as kernel

    slot_of = np.full(kernel.PAGES, -1, np.int32)
    slot_of[pages] = np.arange(pages.size)
    marked = kernel.mark_keys(keys, slot_of, pages.size)
    room = np.uint64(np.clip(BUFFERS // max(pages.size, 1), 256, 8192))

    def work(job: Sequence[Part]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        buffers, filled = np.empty(pages.size * int(room), np.uint16), np.zeros(pages.size, np.uint64)
        counters, elsewhere = np.zeros(marked.first[-1], np.uint32), np.zeros(kernel.PAGES, np.int64)
        into = kernel.Counters(room, buffers, filled, counters, elsewhere)
        full, taken = np.zeros(1, np.int64), 0
        for part in job:
            if taken + part.scores.size > FULL:
                kernel.empty_all(marked, into)
                full = full + counters
                counters[:], taken = 0, 0
            kernel.count_scores(part.scores.view(np.uint32), part.runs, marked, into)
            taken += part.scores.size
        kernel.empty_all(marked, into)
        return full + counters if full.size > 1 else counters, elsewhere

    done = side_by_side(work, ranges(parts, threads))
    counters, elsewhere = np.zeros(marked.first[-1], np.int64), np.zeros(kernel.PAGES, np.int64)
    while done:
        found, beside = done.pop()
        counters += found
        elsewhere += beside
    at = 2 * np.arange(keys.size) + slot_of[keys >> 16] + 1  # each page before has one counter more than two a key
    equal = counters[at]
    np.cumsum(counters, out=counters)
    return normals - counters[at] - elsewhere.cumsum()[keys >> 16], equal


def _count_by_sorting(parts: Sequence[Part], values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    greater, equal = np.zeros(values.size, np.int64), np.zeros(values.size, np.int64)
    together: list[Floats] = []
    for place, part in enumerate(parts, 1):
        together.append(_normal(part))
        if place < len(parts) and sum(one.size for one in together) < TOGETHER:
            continue
        ascending = np.sort(np.concatenate(together))
        up_to = np.searchsorted(ascending, values, side="right")
        equal += up_to - np.searchsorted(ascending, values, side="left")
        greater += ascending.size - up_to
        together = []
    return greater, equal
