"""The pixels of a class, counted by the upper bits of their scores and let go: memory that does not grow.

Three histograms are kept over bins of the keys of float32 scores (`_keys_kernel`): normal pixels, anomalous
ones, and what these weigh in regions. In a bin the order of scores is lost, so a metric has bounds, which
meet where every bin is known to hold one score: where the lower bits of all scores are zero, as in float16
maps. The least and the greatest score are counted apart, because saturated maps tie there.

All of the state is integers, so neither the order of images, nor shards, nor threads change a bit of it.
Classes that fill more than 2¹⁹ bins lose their lowest bit, again until they fill fewer: which bits are
left depends on the pixels alone. float64 scores are rounded to float32; what that ties is not known
to be equal, so there the bounds do not meet.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Floats
from zsadbench.metrics.counting.groups import Groups, Places
from zsadbench.metrics.counting.histogram import Edge, Histogram, joined
from zsadbench.metrics.counting.image import Image, as_float32, scores_of
from zsadbench.metrics.counting.stream_groups import Stream, groups_of
from zsadbench.metrics.counting.thread_tables import Tables
from zsadbench.metrics.counting.threads import ranges, side_by_side
from zsadbench.metrics.counting.weights import Weights

MOST_BINS = 1 << 19
FULL = (1 << 32) - 1  # pixels that a 32-bit table can surely count
SMALL = 1 << 20  # pixels that are not worth a thread


class StreamPixels:
    """The histograms of a class; at first `bits` of the 32 of a key are kept."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.regions = 0
        self._union = 0
        self._rounded = False
        self._histogram = Histogram.empty()
        self._least, self._greatest = Edge(), Edge()
        self._tables: list[Tables] = []

    def add(self, images: Sequence[Image], threads: int) -> None:
        """Take in images."""
        narrow = [self._as_float32(image) for image in images if image.scores.size]
        size = sum(image.scores.size for image in narrow)
        jobs = ranges(narrow, threads if size > SMALL else 1)
        if any(table.pixels + size > FULL for table in self._tables):
            self._flush()
        self._tables += [Tables(self.bits) for _ in range(len(jobs) - len(self._tables))]
        side_by_side(lambda pair: pair[0].add(pair[1]), list(zip(self._tables, jobs, strict=False)))
        self.regions += sum(len(image.areas) for image in narrow)
        for image in narrow:
            self._union |= image.union

    def merge(self, other: Self) -> None:
        """Take in the counts of another that was made with as many bits."""
        self._flush()
        other._flush()
        bits = min(self.bits, other.bits)
        parts = [one._histogram.coarsened(one.bits - bits) for one in (self, other)]
        self.bits, self._histogram, self._tables = bits, joined(parts), []
        self._least = self._least.joined(other._least, min)
        self._greatest = self._greatest.joined(other._greatest, max)
        self._union |= other._union
        self._rounded |= other._rounded
        self.regions += other.regions
        self._limit()

    def extremes(self) -> tuple[np.float32, np.float32] | None:
        """The least and the greatest score, None without a pixel."""
        self._flush()
        if self._least.key < 0:
            return None
        low, high = scores_of(np.array([self._least.key, self._greatest.key], np.uint32))
        return low, high

    def groups(self, cuts: Floats, threads: int) -> tuple[Groups, Places]:
        """A group for each bin with an anomalous pixel or a cut, and for both extremes; and where the cuts lie."""
        self._flush()
        bits = None if self._rounded else self._union
        stream = Stream(self.bits, self._histogram, self._least, self._greatest, bits)
        return groups_of(stream, np.asarray(cuts, np.float32))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was counted, integers all."""
        self._flush()
        found = self._histogram
        return {
            "normal_bins": found.normal_bins,
            "normal": found.normal,
            "anomalous_bins": found.anomalous_bins,
            "anomalous": found.anomalous,
            "weight": np.stack(found.weight),
            "edges": np.array([edge.words() for edge in self._edges() if edge.key >= 0], np.uint64).reshape(-1, 5),
            "union": np.array(self._union, np.uint32),
            "rounded": np.array(self._rounded),
            "resolution": np.array(self.bits),
            "regions": np.array(self.regions),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over a state.

        Raises:
            ValueError: arrays do not fit.
        """
        names = ("normal_bins", "normal", "anomalous_bins", "anomalous", "weight")
        normal_bins, normal, anomalous_bins, anomalous, weight = (state[name] for name in names)
        if normal.shape != normal_bins.shape or not weight[0].shape == anomalous.shape == anomalous_bins.shape:
            raise ValueError("the state has not one count for each bin")
        edges = [Edge(key, n, p, low + (high << 64)) for key, n, p, low, high in state["edges"].tolist()]
        self._histogram = Histogram(normal_bins, normal, anomalous_bins, anomalous, Weights(weight[0], weight[1]))
        self._least, self._greatest = (edges[0], edges[-1]) if edges else (Edge(), Edge())
        self._union, self._rounded = int(state["union"]), bool(state["rounded"])
        self.bits, self.regions, self._tables = int(state["resolution"]), int(state["regions"]), []

    def _edges(self) -> tuple[Edge, Edge]:
        return self._least, self._greatest

    def _as_float32(self, image: Image) -> Image:
        narrow, rounded = as_float32(image)
        self._rounded |= rounded
        return narrow

    def _flush(self) -> None:
        """Bring what the tables counted into the one histogram, which has the same bytes in whatever way it came."""
        if any(table.pixels for table in self._tables):
            for table in self._tables:
                self._least = self._least.joined(table.least, min)
                self._greatest = self._greatest.joined(table.greatest, max)
                table.least = table.greatest = Edge()
            self._histogram = joined([self._histogram, *(table.take() for table in self._tables)])
            self._limit()

    def _limit(self) -> None:
        while self._histogram.size > MOST_BINS:
            self._histogram, self.bits, self._tables = self._histogram.coarsened(1), self.bits - 1, []
