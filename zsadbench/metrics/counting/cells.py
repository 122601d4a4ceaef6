"""Pixels counted by the first bits of their keys, image by image: what parts and intervals are made of.

An image is counted once, in some thousands of cells, and its counts are then added to each part of the class that it
belongs to: additions of cells, not of pixels. Cells are coarser than the bins of a stream, because parts are many.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.histogram import Edge
from zsadbench.metrics.counting.image import Image, key_of

BITS = 20
SHIFT = 32 - BITS
PAGE = 1 << 10  # cells by which a table grows at least
UNITS = 1 << 63  # the weight of a region
NORMAL, ANOMALOUS, LOW, HIGH = range(4)  # rows of a table

Bools = NDArray[np.bool_]


class Cells(NamedTuple):
    """The normal pixels of one image: the cells that hold one, ascending, and how many each holds.

    `least` and `greatest` are the extreme keys of all of its pixels, -1 without a pixel.
    """

    names: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    least: int
    greatest: int


def cells_of(image: Image) -> Cells:
    """Count the normal pixels of an image of float32 scores."""
    from zsadbench.metrics.counting.cells_kernel import count_normal

    if not image.scores.size:
        return Cells(np.empty(0, np.uint32), np.empty(0, np.uint32), -1, -1)
    least, greatest = key_of(image.least), key_of(image.greatest)
    first, last = np.uint64(least >> SHIFT), np.uint64(greatest >> SHIFT)
    counted = count_normal(image.scores.view(np.uint32), image.runs, np.uint64(SHIFT), first, last)
    return Cells(*counted, least, greatest)


class Extreme(NamedTuple):
    """The pixels of an image that have one key, an extreme one of the class: normal ones, and those of each region."""

    key: int
    normal: int
    regions: NDArray[np.int64]

    @classmethod
    def of(cls, image: Image, key: int) -> Self:
        """Count the pixels with this key."""
        from zsadbench.metrics.counting.cells_kernel import count_at

        bits = image.scores.view(np.uint32)
        return cls(key, *count_at(bits, image.runs, len(image.areas), np.uint32(key)))

    def edge(self, image: Image, chosen: Bools) -> Edge:
        """The same pixels, those of the chosen regions alone."""
        pairs = zip(self.regions[chosen].tolist(), image.areas[chosen].tolist(), strict=True)
        units = sum(number * (UNITS // area) for number, area in pairs)
        return Edge(self.key, self.normal, int(self.regions[chosen].sum()), units)


class Table:
    """The sums of the cells of some images over a range of cells that grows.

    `sums` (4, cells) uint64: normal pixels, anomalous ones, and the low and high words of what these weigh.
    """

    def __init__(self) -> None:
        self.first = 0
        self.sums = np.zeros((4, 0), np.uint64)
        self.least, self.greatest = Edge(), Edge()
        self.regions = 0

    def add(self, image: Image, cells: Cells, chosen: Bools, least: Extreme | None, greatest: Extreme | None) -> None:
        """Add all normal pixels of an image, and the anomalous ones of the chosen regions."""
        from zsadbench.metrics.counting.cells_kernel import add_anomalous, add_normal

        if cells.least < 0:
            return
        self._reach(cells.least >> SHIFT, cells.greatest >> SHIFT)
        first = np.uint64(self.first)
        add_normal(cells.names, cells.numbers, first, self.sums)
        if chosen.size:
            bits = image.scores.view(np.uint32)
            add_anomalous(bits, (image.runs, image.areas), chosen, np.uint64(SHIFT), (first, self.sums))
            self.regions += int(chosen.sum())
        if least is not None:
            self.least = self.least.joined(least.edge(image, chosen), min)
        if greatest is not None:
            self.greatest = self.greatest.joined(greatest.edge(image, chosen), max)

    def merge(self, other: Self) -> None:
        """Add the cells of another."""
        if other.sums.size:
            self._reach(other.first, other.first + other.sums.shape[1] - 1)
            mine = self.sums[:, other.first - self.first :][:, : other.sums.shape[1]]
            mine += other.sums
            mine[HIGH] += mine[LOW] < other.sums[LOW]
        self.least = self.least.joined(other.least, min)
        self.greatest = self.greatest.joined(other.greatest, max)
        self.regions += other.regions

    def _reach(self, first: int, last: int) -> None:
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
        """The state of a stream that has seen these pixels; `least` and `greatest` are extreme keys of the class."""
        used, found = np.flatnonzero(self.sums[NORMAL]), np.flatnonzero(self.sums[ANOMALOUS])
        ends = [(self.least, least), (self.greatest, greatest)]
        edges = [one if one.key == key else Edge(key) for one, key in ends[: 1 + (least != greatest)]]
        return {
            "normal_bins": (used + self.first).astype(np.uint32),
            "normal": self.sums[NORMAL, used].astype(np.int64),
            "anomalous_bins": (found + self.first).astype(np.uint32),
            "anomalous": self.sums[ANOMALOUS, found].astype(np.int64),
            "weight": self.sums[LOW:, found],
            "edges": np.array([edge.words() for edge in edges if least >= 0], np.uint64).reshape(-1, 5),
            "union": np.array(union, np.uint32),
            "rounded": np.array(rounded),
            "resolution": np.array(BITS),
            "regions": np.array(self.regions),
        }
