"""The tables that one thread counts in: dense pages of bins, which become a sparse histogram when taken out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.histogram import Edge, Histogram, joined
from zsadbench.metrics.counting.image import Image, key_of, keys_of
from zsadbench.metrics.counting.weights import Weights, pixel_weights

PAGE = 1 << 10  # bins, as in `_stream_kernel`
MOST_PAGES = 1024  # of normal bins in one thread's tables, 4 KB each
MOST_ANOMALOUS = 256  # of anomalous bins, 20 KB each
MANY = 16  # sparse histograms that are better joined

PAGE_BITS = 10
Places = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


class Pages:
    """Which page lies where in some tables; the first page of the tables stays empty, for pages that lie nowhere."""

    def __init__(self, bits: int, most: int) -> None:
        self.most = most
        self.directory = np.zeros(max(1, (1 << bits) // PAGE), np.uint32)
        self.order: list[int] = []

    def missing(self, needed: Places) -> Places:
        """Those of the needed pages that lie nowhere yet."""
        new: Places = needed[self.directory[needed] == 0]
        return new

    def place(self, pages: Places) -> None:
        """Give each page the next place."""
        start = len(self.order) + 1
        self.directory[pages] = np.arange(start, start + pages.size) * PAGE
        self.order += pages.tolist()

    def fits(self, pages: Places) -> bool:
        """Whether so many more pages may be placed."""
        return len(self.order) + pages.size <= self.most

    def bins_at(self, cells: Places) -> NDArray[np.uint32]:
        """The bins of cells of the tables."""
        pages = np.array([0, *self.order], np.uint32)
        return pages[cells // PAGE] * np.uint32(PAGE) + (cells % PAGE).astype(np.uint32)


class Tables:
    """Counts of one thread; `pixels` says how many were counted since the tables were last emptied."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.pixels = 0
        self.least, self.greatest = Edge(), Edge()
        self._kept: list[Histogram] = []
        self._reset()

    def add(self, images: Sequence[Image]) -> None:
        """Count images; their scores are float32, and each has a pixel."""
        for image in images:
            self._count(image)
            self.least = self._edge(image, key_of(image.least), self.least, min)
            self.greatest = self._edge(image, key_of(image.greatest), self.greatest, max)
            self.pixels += image.scores.size

    def take(self) -> Histogram:
        """What was counted since the last time; the tables are empty after that, the edges stay."""
        parts = [*self._kept, self._emptied()]
        self._kept, self.pixels = [], 0
        return joined(parts)

    def _reset(self) -> None:
        self._normal, self._anomalous = Pages(self.bits, MOST_PAGES), Pages(self.bits, MOST_ANOMALOUS)
        self._numbers = np.zeros(PAGE, np.uint32)
        self._found = np.zeros(PAGE, np.uint32)
        self._low, self._high = np.zeros(PAGE, np.uint64), np.zeros(PAGE, np.uint64)

    def _count(self, image: Image) -> None:
        from zsadbench.metrics.counting import stream_kernel as kernel

        needed, needed_too = self._pages(image)
        if needed.size > MOST_PAGES or needed_too.size > MOST_ANOMALOUS:
            self._keep(sparse(image, self.bits))
            return
        self._make_room(needed, needed_too)
        bits, shift = image.scores.view(np.uint32), np.uint64(32 - self.bits)
        kernel.count_normal(bits, image.runs, shift, self._normal.directory, self._numbers)
        if len(image.runs):
            sums = kernel.Sums(self._anomalous.directory, self._found, self._low, self._high)
            kernel.count_anomalous(bits, image.runs, image.areas, shift, sums)

    def _pages(self, image: Image) -> tuple[Places, Places]:
        """The pages that an image needs: of normal bins, perhaps more than it needs, and of anomalous ones."""
        first, last = (key_of(score) >> (32 - self.bits) >> PAGE_BITS for score in (image.least, image.greatest))
        needed = np.arange(first, last + 1)
        if needed.size > MOST_PAGES // 2:
            needed = self._marked(image, inside=False)
        return needed, self._marked(image, inside=True) if len(image.runs) else needed[:0]

    def _marked(self, image: Image, *, inside: bool) -> Places:
        from zsadbench.metrics.counting.stream_kernel import mark_pages

        flags = np.zeros(self._normal.directory.size, np.bool_)
        mark_pages(image.scores.view(np.uint32), image.runs, inside, np.uint64(32 - self.bits), flags)
        return np.flatnonzero(flags)

    def _make_room(self, needed: Places, needed_too: Places) -> None:
        """Give the needed pages a place; where they are too many, what was counted so far is set aside."""
        new, new_too = self._normal.missing(needed), self._anomalous.missing(needed_too)
        if not self._normal.fits(new) or not self._anomalous.fits(new_too):
            self._keep(self._emptied())
            new, new_too = needed, needed_too
        self._normal.place(new)
        self._anomalous.place(new_too)
        self._numbers = _longer(self._numbers, self._normal)
        self._found = _longer(self._found, self._anomalous)
        self._low, self._high = _longer(self._low, self._anomalous), _longer(self._high, self._anomalous)

    def _emptied(self) -> Histogram:
        used, found = np.flatnonzero(self._numbers), np.flatnonzero(self._found)
        weight = Weights(self._low[found], self._high[found])
        bins, found_bins = self._normal.bins_at(used), self._anomalous.bins_at(found)
        numbers, anomalous = self._numbers[used].astype(np.int64), self._found[found].astype(np.int64)
        self._reset()
        return Histogram(bins, numbers, found_bins, anomalous, weight)

    def _keep(self, histogram: Histogram) -> None:
        self._kept.append(histogram)
        if len(self._kept) > MANY:
            self._kept = [joined(self._kept)]

    def _edge(self, image: Image, key: int, edge: Edge, nearest: Callable[[int, int], int]) -> Edge:
        """The edge with an image of which `key` is the extreme one; its pixels are counted only where that matters."""
        if edge.key not in (-1, key) and nearest(edge.key, key) == edge.key:
            return edge
        from zsadbench.metrics.counting.stream_kernel import count_key

        bits = image.scores.view(np.uint32)
        normal, anomalous, low, high = count_key(bits, image.runs, image.areas, np.uint32(key))
        return edge.joined(Edge(key, normal, anomalous, (int(high) << 64) + int(low)), nearest)


def sparse(image: Image, bits: int) -> Histogram:
    """The histogram of one image, without tables: for scores that are spread over too many pages."""
    bins = keys_of(image.scores) >> np.uint32(32 - bits)
    anomalous = np.concatenate([bins[:0], *(bins[start:stop] for start, stop, _ in image.runs.tolist())])
    normal = bins[~image.flags]
    weights = pixel_weights(np.repeat(image.areas[image.runs[:, 2]], image.runs[:, 1] - image.runs[:, 0]))
    every = Weights(weights, np.zeros_like(weights))
    ones = np.ones(anomalous.size, np.int64)
    return joined([Histogram(normal, np.ones(normal.size, np.int64), anomalous, ones, every)])


def _longer(table: NDArray[T], pages: Pages) -> NDArray[T]:
    """A table with a place for all pages, and some to come."""
    wanted = (len(pages.order) + 1) * PAGE
    if wanted <= table.size:
        return table
    longer = np.zeros(max(wanted, table.size * 5 // 4 // PAGE * PAGE), table.dtype)
    longer[: table.size] = table
    return longer
