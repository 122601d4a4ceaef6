"""Count the pixels of a class by the upper bits of their scores, without keeping them: memory does not grow.

There are three histograms over bins of the keys of float32 scores (`keys_kernel`): normal pixels, anomalous pixels, and
the region weight of the anomalous ones. The order of scores within a bin is unknown, so a metric has bounds. They meet
if every bin is known to hold a single score: if the lower bits of all scores are zero, as in float16 maps. The least
and the greatest score are counted separately, because saturated maps have many ties there.

The state consists of integers, so neither the order of images, nor shards, nor threads change a bit of it. A class
that fills more than 2¹⁹ bins loses the lowest bit of its bins, repeatedly until it fills fewer; the remaining bits
depend on the pixels alone. float64 scores are rounded to float32; scores that this makes equal may have differed, so
the bounds do not meet there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Floats
from zsadbench.metrics.counting.groups import Groups, ThresholdPositions
from zsadbench.metrics.counting.histogram import ExtremeCounts, Histogram, sum_histograms
from zsadbench.metrics.counting.image import Image, as_float32, scores_of
from zsadbench.metrics.counting.stream_groups import StreamCounts, groups_of
from zsadbench.metrics.counting.thread_tables import ThreadTables
from zsadbench.metrics.counting.threads import chunks, run_in_threads
from zsadbench.metrics.counting.weights import Weights

MOST_BINS = 1 << 19
FULL = (1 << 32) - 1  # pixels that a 32-bit table can surely count
SMALL = 1 << 20  # pixels; for fewer, one thread is faster


class StreamPixels:
    """The histograms of a class; bins are the first `bits` of the 32 bits of a key, later perhaps fewer."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.regions = 0
        self._union = 0
        self._rounded = False
        self._histogram = Histogram.empty()
        self._least, self._greatest = ExtremeCounts(), ExtremeCounts()
        self._tables: list[ThreadTables] = []

    def add(self, images: Sequence[Image], threads: int) -> None:
        """Count images."""
        narrow: list[Image] = []
        for image in images:
            if image.scores.size:
                with_float32, rounded = as_float32(image)
                narrow.append(with_float32)
                self._rounded |= rounded
        size = sum(image.scores.size for image in narrow)
        jobs = chunks(narrow, threads if size > SMALL else 1)
        if any(table.pixels + size > FULL for table in self._tables):
            self._flush()
        self._tables += [ThreadTables(self.bits) for _ in range(len(jobs) - len(self._tables))]
        run_in_threads(lambda pair: pair[0].add(pair[1]), list(zip(self._tables, jobs, strict=False)))
        for image in narrow:
            self.regions += len(image.areas)
            self._union |= image.union

    def merge(self, other: Self) -> None:
        """Add the counts of another that was created with the same number of bits."""
        self._flush()
        other._flush()
        bits = min(self.bits, other.bits)
        parts = [pixels._histogram.coarsened(pixels.bits - bits) for pixels in (self, other)]
        self.bits, self._histogram, self._tables = bits, sum_histograms(parts), []
        self._least = self._least.merged(other._least, min)
        self._greatest = self._greatest.merged(other._greatest, max)
        self._union |= other._union
        self._rounded |= other._rounded
        self.regions += other.regions
        self._limit_bins()

    def extremes(self) -> tuple[np.float32, np.float32] | None:
        """Return the least and the greatest score, None without a pixel."""
        self._flush()
        if self._least.key < 0:
            return None
        low, high = scores_of(np.array([self._least.key, self._greatest.key], np.uint32))
        return low, high

    def groups(self, thresholds: Floats, threads: int) -> tuple[Groups, ThresholdPositions]:
        """Return a group per bin with an anomalous pixel or a threshold and per extreme score, and the thresholds'."""
        self._flush()
        union = None if self._rounded else self._union
        counted = StreamCounts(self.bits, self._histogram, self._least, self._greatest, union)
        return groups_of(counted, np.asarray(thresholds, np.float32))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all counts, as integers."""
        self._flush()
        histogram = self._histogram
        extremes = [extreme.words() for extreme in (self._least, self._greatest) if extreme.key >= 0]
        return {
            "normal_bins": histogram.normal_bins,
            "normal": histogram.normal,
            "anomalous_bins": histogram.anomalous_bins,
            "anomalous": histogram.anomalous,
            "weight": np.stack(histogram.weight),
            "edges": np.array(extremes, np.uint64).reshape(-1, 5),
            "union": np.array(self._union, np.uint32),
            "rounded": np.array(self._rounded),
            "resolution": np.array(self.bits),
            "regions": np.array(self.regions),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Replace all counts by those of a state.

        Raises:
            ValueError: the sizes of the arrays do not fit together.
        """
        names = ("normal_bins", "normal", "anomalous_bins", "anomalous", "weight")
        normal_bins, normal, anomalous_bins, anomalous, weight = (state[name] for name in names)
        if normal.shape != normal_bins.shape or not weight[0].shape == anomalous.shape == anomalous_bins.shape:
            raise ValueError("the state has not one count for each bin")
        extremes = [ExtremeCounts(key, n, p, low + (high << 64)) for key, n, p, low, high in state["edges"].tolist()]
        self._histogram = Histogram(normal_bins, normal, anomalous_bins, anomalous, Weights(weight[0], weight[1]))
        self._least, self._greatest = (extremes[0], extremes[-1]) if extremes else (ExtremeCounts(), ExtremeCounts())
        self._union, self._rounded = int(state["union"]), bool(state["rounded"])
        self.bits, self.regions, self._tables = int(state["resolution"]), int(state["regions"]), []

    def _flush(self) -> None:
        """Move the counts of the thread tables into the histogram, which has the same bytes for the same pixels."""
        if any(table.pixels for table in self._tables):
            for table in self._tables:
                self._least = self._least.merged(table.least, min)
                self._greatest = self._greatest.merged(table.greatest, max)
                table.least = table.greatest = ExtremeCounts()
            self._histogram = sum_histograms([self._histogram, *(table.take() for table in self._tables)])
            self._limit_bins()

    def _limit_bins(self) -> None:
        while self._histogram.size > MOST_BINS:
            self._histogram, self.bits, self._tables = self._histogram.coarsened(1), self.bits - 1, []
