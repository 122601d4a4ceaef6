"""Tables in which one thread counts scores: dense pages of bins, converted to a sparse histogram when taken out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Int64s, UInt32s
from zsadbench.metrics.counting.histogram import ExtremeCounts, Histogram, sum_histograms
from zsadbench.metrics.counting.image import Image, key_of, keys_of
from zsadbench.metrics.counting.weights import Weights, pixel_weights

PAGE_BITS = 10
PAGE = 1 << PAGE_BITS  # bins, as in `stream_kernel`, which imports numba
MOST_PAGES = 1024  # of normal bins in the tables of one thread, 4 KB each
MOST_ANOMALOUS = 256  # of anomalous bins, 20 KB each
MANY = 16  # sparse histograms; more are summed

T = TypeVar("T", bound=np.generic)


class Pages:
    """The pages of some tables: `directory` (pages,) is the index of the first bin of each, 0 if it does not exist.

    The first page of the tables stays empty, so that 0 is the index of no page.
    """

    def __init__(self, bits: int, most: int) -> None:
        self.most = most
        self.directory = np.zeros(max(1, (1 << bits) // PAGE), np.uint32)
        self.order: list[int] = []

    def missing(self, needed: Int64s) -> Int64s:
        """Return the needed pages that do not exist yet."""
        missing: Int64s = needed[self.directory[needed] == 0]
        return missing

    def append(self, pages: Int64s) -> None:
        """Create pages, in order, after those that exist."""
        start = len(self.order) + 1
        self.directory[pages] = np.arange(start, start + pages.size) * PAGE
        self.order += pages.tolist()

    def fits(self, pages: Int64s) -> bool:
        """Return whether these pages can be added to those that exist."""
        return len(self.order) + pages.size <= self.most

    def bins_at(self, indices: Int64s) -> UInt32s:
        """Return the bins at indices of the tables."""
        pages = np.array([0, *self.order], np.uint32)
        return pages[indices // PAGE] * np.uint32(PAGE) + (indices % PAGE).astype(np.uint32)


class ThreadTables:
    """Counts of one thread; `pixels` is the number of pixels counted since the tables were last emptied."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.pixels = 0
        self.least, self.greatest = ExtremeCounts(), ExtremeCounts()
        self._histograms: list[Histogram] = []
        self._reset()

    def add(self, images: Sequence[Image]) -> None:
        """Count images with float32 scores, each of at least one pixel."""
        for image in images:
            self._count(image)
            self.least = _merge_extreme(self.least, image, key_of(image.least), min)
            self.greatest = _merge_extreme(self.greatest, image, key_of(image.greatest), max)
            self.pixels += image.scores.size

    def take(self) -> Histogram:
        """Return the counts since the last call and empty the tables; `least` and `greatest` stay."""
        parts = [*self._histograms, self._emptied()]
        self._histograms, self.pixels = [], 0
        return sum_histograms(parts)

    def _reset(self) -> None:
        self._normal_pages, self._anomalous_pages = Pages(self.bits, MOST_PAGES), Pages(self.bits, MOST_ANOMALOUS)
        self._normal, self._anomalous = np.zeros(PAGE, np.uint32), np.zeros(PAGE, np.uint32)
        self._low, self._high = np.zeros(PAGE, np.uint64), np.zeros(PAGE, np.uint64)

    def _count(self, image: Image) -> None:
        from zsadbench.metrics.counting import stream_kernel as kernel

        normal_pages, anomalous_pages = self._pages_of(image)
        if normal_pages.size > MOST_PAGES or anomalous_pages.size > MOST_ANOMALOUS:
            self._set_aside(sparse_histogram(image, self.bits))
            return
        self._create_pages(normal_pages, anomalous_pages)
        bits, shift = image.scores.view(np.uint32), np.uint64(32 - self.bits)
        kernel.count_normal(bits, image.runs, shift, self._normal_pages.directory, self._normal)
        if len(image.runs):
            into = kernel.AnomalousTables(self._anomalous_pages.directory, self._anomalous, self._low, self._high)
            kernel.count_anomalous(bits, image.runs, image.areas, shift, into)

    def _pages_of(self, image: Image) -> tuple[Int64s, Int64s]:
        """Return the pages that an image needs, of normal bins (perhaps some more) and of anomalous bins."""
        from zsadbench.metrics.counting.stream_kernel import mark_pages

        def marked(*, inside: bool) -> Int64s:
            flags = np.zeros(self._normal_pages.directory.size, np.bool_)
            mark_pages(image.scores.view(np.uint32), image.runs, inside, np.uint64(32 - self.bits), flags)
            return np.flatnonzero(flags)

        first, last = (key_of(score) >> (32 - self.bits) >> PAGE_BITS for score in (image.least, image.greatest))
        normal = np.arange(first, last + 1)
        if normal.size > MOST_PAGES // 2:
            normal = marked(inside=False)
        return normal, marked(inside=True) if len(image.runs) else normal[:0]

    def _create_pages(self, normal: Int64s, anomalous: Int64s) -> None:
        """Create the missing ones of these pages; if they do not fit, set the counts so far aside and start again."""
        new_normal, new_anomalous = self._normal_pages.missing(normal), self._anomalous_pages.missing(anomalous)
        if not self._normal_pages.fits(new_normal) or not self._anomalous_pages.fits(new_anomalous):
            self._set_aside(self._emptied())
            new_normal, new_anomalous = normal, anomalous
        self._normal_pages.append(new_normal)
        self._anomalous_pages.append(new_anomalous)
        self._normal = _extended(self._normal, self._normal_pages)
        self._anomalous = _extended(self._anomalous, self._anomalous_pages)
        self._low, self._high = (_extended(words, self._anomalous_pages) for words in (self._low, self._high))

    def _emptied(self) -> Histogram:
        """Return the counts in the tables, and empty the tables."""
        normal, anomalous = np.flatnonzero(self._normal), np.flatnonzero(self._anomalous)
        histogram = Histogram(
            self._normal_pages.bins_at(normal),
            self._normal[normal].astype(np.int64),
            self._anomalous_pages.bins_at(anomalous),
            self._anomalous[anomalous].astype(np.int64),
            Weights(self._low[anomalous], self._high[anomalous]),
        )
        self._reset()
        return histogram

    def _set_aside(self, histogram: Histogram) -> None:
        self._histograms.append(histogram)
        if len(self._histograms) > MANY:
            self._histograms = [sum_histograms(self._histograms)]


def sparse_histogram(image: Image, bits: int) -> Histogram:
    """Return the histogram of one image without tables, for scores that are spread over too many pages."""
    bins = keys_of(image.scores) >> np.uint32(32 - bits)
    anomalous = np.concatenate([bins[:0], *(bins[start:stop] for start, stop, _ in image.runs.tolist())])
    normal = bins[~image.mask]
    words = pixel_weights(np.repeat(image.areas[image.runs[:, 2]], image.runs[:, 1] - image.runs[:, 0]))
    weights = Weights(words, np.zeros_like(words))
    ones = np.ones(normal.size, np.int64), np.ones(anomalous.size, np.int64)
    return sum_histograms([Histogram(normal, ones[0], anomalous, ones[1], weights)])


def _merge_extreme(extreme: ExtremeCounts, image: Image, key: int, nearest: Callable[[int, int], int]) -> ExtremeCounts:
    """Merge the pixels of an image with the key `key`, its extreme one; they are counted only if they matter."""
    if extreme.key not in (-1, key) and nearest(extreme.key, key) == extreme.key:
        return extreme
    from zsadbench.metrics.counting.stream_kernel import count_key

    bits = image.scores.view(np.uint32)
    normal, anomalous, low, high = count_key(bits, image.runs, image.areas, np.uint32(key))
    return extreme.merged(ExtremeCounts(key, normal, anomalous, (int(high) << 64) + int(low)), nearest)


def _extended(table: NDArray[T], pages: Pages) -> NDArray[T]:
    """Return a table with room for all pages, and for some more."""
    wanted = (len(pages.order) + 1) * PAGE
    if wanted <= table.size:
        return table
    longer = np.zeros(max(wanted, table.size * 5 // 4 // PAGE * PAGE), table.dtype)
    longer[: table.size] = table
    return longer
