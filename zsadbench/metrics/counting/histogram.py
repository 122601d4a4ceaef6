"""Counts by bin, sparse and in order, and the extreme scores by themselves: the state of a stream, in integers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.counts import starts_of
from zsadbench.metrics.counting.weights import Weights, summed

Bins = NDArray[np.uint32]
Numbers = NDArray[np.int64]
WORD = (1 << 64) - 1


class Histogram(NamedTuple):
    """Ascending bins that are not empty, with their counts; anomalous bins also with the weight of their pixels."""

    normal_bins: Bins
    normal: Numbers
    anomalous_bins: Bins
    anomalous: Numbers
    weight: Weights

    @classmethod
    def empty(cls) -> Self:
        """No pixels."""
        bins, numbers, words = np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0, np.uint64)
        return cls(bins, numbers, bins, numbers, Weights(words, words))

    @property
    def size(self) -> int:
        """Bins in use."""
        return max(self.normal_bins.size, self.anomalous_bins.size)

    def coarsened(self, bits: int) -> "Histogram":
        """The same pixels in bins that have `bits` fewer bits."""
        by = np.uint32(bits)
        return joined([self._replace(normal_bins=self.normal_bins >> by, anomalous_bins=self.anomalous_bins >> by)])


def joined(parts: Sequence[Histogram]) -> Histogram:
    """The sum of histograms; a part may hold a bin more than once, and in any order."""
    bins = np.concatenate([part.normal_bins for part in parts])
    order = bins.argsort(kind="stable")
    first = starts_of(bins[order])
    normal = _sums(np.concatenate([part.normal for part in parts])[order], first)
    found = np.concatenate([part.anomalous_bins for part in parts])
    order_too = found.argsort(kind="stable")
    first_too = starts_of(found[order_too])
    anomalous = _sums(np.concatenate([part.anomalous for part in parts])[order_too], first_too)
    low = np.concatenate([part.weight.low for part in parts])[order_too]
    high = np.concatenate([part.weight.high for part in parts])[order_too]
    weight = summed(Weights(low, high), first_too)
    return Histogram(bins[order][first], normal, found[order_too][first_too], anomalous, weight)


def _sums(numbers: Numbers, first: NDArray[np.int64]) -> Numbers:
    sums: Numbers = np.add.reduceat(numbers, first) if first.size else np.empty(0, np.int64)
    return sums


class Edge(NamedTuple):
    """The pixels of one extreme score: its key, -1 without a pixel, their numbers, and their weight in units."""

    key: int = -1
    normal: int = 0
    anomalous: int = 0
    weight: int = 0

    def joined(self, other: "Edge", nearest: Callable[[int, int], int]) -> "Edge":
        """The more extreme of two edges, or both in one where they have the same key; `nearest` is min or max."""
        if -1 in (self.key, other.key):
            return other if self.key == -1 else self
        if self.key != other.key:
            return self if nearest(self.key, other.key) == self.key else other
        pairs = zip(self[1:], other[1:], strict=True)
        return Edge(self.key, *(one + another for one, another in pairs))

    def words(self) -> list[int]:
        """As five 64-bit numbers, the weight as a low and a high word."""
        return [max(self.key, 0), self.normal, self.anomalous, self.weight & WORD, self.weight >> 64]
