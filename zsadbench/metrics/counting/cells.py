"""Count one image in histogram cells: bins of keys with few bits, for parts of a class and for bootstrap intervals.

An image is counted once, in some thousands of cells, and these counts are then added to every part of the class that
the image belongs to: cells are added, not pixels. Cells are coarser than the bins of a stream, because there are many
parts. (They have nothing to do with the cells of a run, for which records are written.)
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Bools, Int64s, UInt32s
from zsadbench.metrics.counting.histogram import ExtremeCounts
from zsadbench.metrics.counting.image import Image, key_of

BITS = 20
SHIFT = 32 - BITS
PAGE = 1 << 10  # cells by which a table grows at least
UNITS = 1 << 63  # the weight of a region
NORMAL, ANOMALOUS, LOW, HIGH = range(4)  # rows of `CellSums.sums`


class Cells(NamedTuple):
    """The normal pixels of one image: the cells that hold one, ascending, and the number of pixels in each.

    `least` and `greatest` are the extreme keys of all pixels of the image, -1 without a pixel.
    """

    cells: UInt32s
    numbers: UInt32s
    least: int
    greatest: int


def cells_of(image: Image) -> Cells:
    """Count the normal pixels of an image with float32 scores."""
    from zsadbench.metrics.counting.cells_kernel import count_normal

    if not image.scores.size:
        return Cells(np.empty(0, np.uint32), np.empty(0, np.uint32), -1, -1)
    least, greatest = key_of(image.least), key_of(image.greatest)
    first, last = np.uint64(least >> SHIFT), np.uint64(greatest >> SHIFT)
    cells, numbers = count_normal(image.scores.view(np.uint32), image.runs, np.uint64(SHIFT), first, last)
    return Cells(cells, numbers, least, greatest)


class ImageExtreme(NamedTuple):
    """The pixels of an image with one key, an extreme one of the class: normal ones, and those of each region."""

    key: int
    normal: int
    regions: Int64s

    @classmethod
    def of(cls, image: Image, key: int) -> Self:
        """Count the pixels with this key."""
        from zsadbench.metrics.counting.cells_kernel import count_key

        bits = image.scores.view(np.uint32)
        return cls(key, *count_key(bits, image.runs, len(image.areas), np.uint32(key)))

    def of_regions(self, image: Image, chosen: Bools) -> ExtremeCounts:
        """Return the normal pixels and those of the chosen regions."""
        pairs = zip(self.regions[chosen].tolist(), image.areas[chosen].tolist(), strict=True)
        units = sum(number * (UNITS // area) for number, area in pairs)
        return ExtremeCounts(self.key, self.normal, int(self.regions[chosen].sum()), units)


class CellSums:
    """The sums of the cells of some images, over a range of cells that grows.

    `sums` (4, cells) uint64: normal pixels, anomalous pixels, and the low and high words of the anomalous weight.
    """

    def __init__(self) -> None:
        self.first = 0
        self.sums = np.zeros((4, 0), np.uint64)
        self.least, self.greatest = ExtremeCounts(), ExtremeCounts()
        self.regions = 0

    def add(
        self, image: Image, cells: Cells, chosen: Bools, least: ImageExtreme | None, greatest: ImageExtreme | None
    ) -> None:
        """Add all normal pixels of an image, and the anomalous pixels of the chosen regions."""
        from zsadbench.metrics.counting.cells_kernel import add_anomalous, add_normal

        if cells.least < 0:
            return
        self._grow(cells.least >> SHIFT, cells.greatest >> SHIFT)
        first = np.uint64(self.first)
        add_normal(cells.cells, cells.numbers, first, self.sums)
        if chosen.size:
            bits = image.scores.view(np.uint32)
            add_anomalous(bits, (image.runs, image.areas), chosen, np.uint64(SHIFT), (first, self.sums))
            self.regions += int(chosen.sum())
        if least is not None:
            self.least = self.least.merged(least.of_regions(image, chosen), min)
        if greatest is not None:
            self.greatest = self.greatest.merged(greatest.of_regions(image, chosen), max)

    def merge(self, other: Self) -> None:
        """Add the sums of another."""
        if other.sums.size:
            self._grow(other.first, other.first + other.sums.shape[1] - 1)
            overlap = self.sums[:, other.first - self.first :][:, : other.sums.shape[1]]
            overlap += other.sums
            overlap[HIGH] += overlap[LOW] < other.sums[LOW]
        self.least = self.least.merged(other.least, min)
        self.greatest = self.greatest.merged(other.greatest, max)
        self.regions += other.regions

    def _grow(self, first: int, last: int) -> None:
        """Make room for the cells from `first` to `last`, and for some more."""
        size = self.sums.shape[1]
        if size and self.first <= first and last < self.first + size:
            return
        start, stop = min(first, self.first) if size else first, max(last + 1, self.first + size if size else 0)
        room = max(PAGE, (stop - start) // 4)
        start, stop = max(0, start - room), min(1 << BITS, stop + room)
        longer = np.zeros((4, stop - start), np.uint64)
        longer[:, self.first - start : self.first - start + size] = self.sums if size else 0
        self.sums, self.first = longer, start

    def state(self, least: int, greatest: int, union: int, *, rounded: bool) -> dict[str, NDArray[Any]]:
        """Return the state of a stream that has counted these pixels; `least` and `greatest` are keys of the class."""
        normal, anomalous = np.flatnonzero(self.sums[NORMAL]), np.flatnonzero(self.sums[ANOMALOUS])
        pairs = [(self.least, least), (self.greatest, greatest)][: 1 + (least != greatest)]
        extremes = [extreme if extreme.key == key else ExtremeCounts(key) for extreme, key in pairs]
        words = [extreme.words() for extreme in extremes if least >= 0]
        return {
            "normal_bins": (normal + self.first).astype(np.uint32),
            "normal": self.sums[NORMAL, normal].astype(np.int64),
            "anomalous_bins": (anomalous + self.first).astype(np.uint32),
            "anomalous": self.sums[ANOMALOUS, anomalous].astype(np.int64),
            "weight": self.sums[LOW:, anomalous],
            "edges": np.array(words, np.uint64).reshape(-1, 5),
            "union": np.array(union, np.uint32),
            "rounded": np.array(rounded),
            "resolution": np.array(BITS),
            "regions": np.array(self.regions),
        }


def pack(parts: Sequence[CellSums]) -> dict[str, NDArray[Any]]:
    """Return the sums of several parts as arrays without objects; cells that are zero are left out."""
    used = [np.flatnonzero(part.sums.any(axis=0)) for part in parts]
    cells = [(part.first + columns).astype(np.uint32) for part, columns in zip(parts, used, strict=True)]
    sums = [part.sums[:, columns] for part, columns in zip(parts, used, strict=True)]
    extremes = [extreme for part in parts for extreme in (part.least, part.greatest)]
    return {
        "cells": np.concatenate([np.empty(0, np.uint32), *cells]),
        "sums": np.concatenate([np.empty((4, 0), np.uint64), *sums], axis=1),
        "cells_of_part": np.array([columns.size for columns in used], np.int64),
        "regions": np.array([part.regions for part in parts], np.int64),
        "extreme_keys": np.array([extreme.key for extreme in extremes], np.int64),
        "extreme_counts": np.array([extreme.words()[1:] for extreme in extremes], np.uint64).reshape(-1, 4),
    }


def unpack(state: Mapping[str, NDArray[Any]]) -> list[CellSums]:
    """Return the parts that `pack` has packed.

    Raises:
        ValueError: the sizes of the arrays do not fit together.
    """
    ends = state["cells_of_part"].cumsum()[:-1]
    cells, sums = np.split(state["cells"].astype(np.int64), ends), np.split(state["sums"], ends, axis=1)
    pairs = zip(state["extreme_keys"].tolist(), state["extreme_counts"].tolist(), strict=True)
    extremes = [
        ExtremeCounts(key, normal, anomalous, low + (high << 64)) for key, (normal, anomalous, low, high) in pairs
    ]
    parts = []
    for number, regions in enumerate(state["regions"].tolist()):
        part, of_part = CellSums(), cells[number]
        if of_part.size:
            part._grow(int(of_part[0]), int(of_part[-1]))
            part.sums[:, of_part - part.first] = sums[number]
        part.least, part.greatest = extremes[2 * number : 2 * number + 2]
        part.regions = regions
        parts.append(part)
    return parts
