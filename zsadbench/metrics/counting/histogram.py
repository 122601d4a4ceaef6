"""Sparse histograms over bins of keys, and counts of the extreme scores: the state of a stream, all in integers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np

from zsadbench.metrics.counting.arrays import Int64s, UInt32s
from zsadbench.metrics.counting.counts import starts_of
from zsadbench.metrics.counting.weights import Weights, sum_groups

WORD = (1 << 64) - 1


class Histogram(NamedTuple):
    """Non-empty bins in ascending order with their counts, and the weight of the pixels of each anomalous bin."""

    normal_bins: UInt32s
    normal: Int64s
    anomalous_bins: UInt32s
    anomalous: Int64s
    weight: Weights

    @classmethod
    def empty(cls) -> Self:
        """Return the histogram of no pixels."""
        bins, numbers, words = np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0, np.uint64)
        return cls(bins, numbers, bins, numbers, Weights(words, words))

    @property
    def size(self) -> int:
        """Bins in use, normal or anomalous, whichever are more."""
        return max(self.normal_bins.size, self.anomalous_bins.size)

    def coarsened(self, bits: int) -> "Histogram":
        """Return the same pixels in bins that have `bits` fewer bits."""
        by = np.uint32(bits)
        coarse = self._replace(normal_bins=self.normal_bins >> by, anomalous_bins=self.anomalous_bins >> by)
        return sum_histograms([coarse])


def sum_histograms(parts: Sequence[Histogram]) -> Histogram:
    """Add histograms; the bins of a part may repeat and come in any order."""
    bins = np.concatenate([part.normal_bins for part in parts])
    order = bins.argsort(kind="stable")
    first = starts_of(bins[order])
    normal = _sums(np.concatenate([part.normal for part in parts])[order], first)
    anomalous_bins = np.concatenate([part.anomalous_bins for part in parts])
    anomalous_order = anomalous_bins.argsort(kind="stable")
    anomalous_bins = anomalous_bins[anomalous_order]
    anomalous_first = starts_of(anomalous_bins)
    anomalous = _sums(np.concatenate([part.anomalous for part in parts])[anomalous_order], anomalous_first)
    low = np.concatenate([part.weight.low for part in parts])[anomalous_order]
    high = np.concatenate([part.weight.high for part in parts])[anomalous_order]
    weight = sum_groups(Weights(low, high), anomalous_first)
    return Histogram(bins[order][first], normal, anomalous_bins[anomalous_first], anomalous, weight)


def _sums(numbers: Int64s, first: Int64s) -> Int64s:
    sums: Int64s = np.add.reduceat(numbers, first) if first.size else np.empty(0, np.int64)
    return sums


class ExtremeCounts(NamedTuple):
    """The pixels of one extreme score: its key (-1 without a pixel), their numbers, and their weight in units."""

    key: int = -1
    normal: int = 0
    anomalous: int = 0
    weight: int = 0

    def merged(self, other: "ExtremeCounts", nearest: Callable[[int, int], int]) -> "ExtremeCounts":
        """Return the more extreme of two, or their sum if they have the same key; `nearest` is min or max."""
        if -1 in (self.key, other.key):
            return other if self.key == -1 else self
        if self.key != other.key:
            return self if nearest(self.key, other.key) == self.key else other
        return ExtremeCounts(
            self.key, self.normal + other.normal, self.anomalous + other.anomalous, self.weight + other.weight
        )

    def words(self) -> list[int]:
        """Return five 64-bit numbers, the weight as a low and a high word."""
        return [max(self.key, 0), self.normal, self.anomalous, self.weight & WORD, self.weight >> 64]
