"""Convert the histograms of a stream to groups of pixels: each bin is a group, and so is each extreme score."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Bools, Int64s, UInt32s
from zsadbench.metrics.counting.counts import Counts, missing_values
from zsadbench.metrics.counting.groups import Groups, ThresholdPositions
from zsadbench.metrics.counting.histogram import WORD, ExtremeCounts, Histogram
from zsadbench.metrics.counting.image import keys_of, scores_of
from zsadbench.metrics.counting.weights import Weights


class StreamCounts(NamedTuple):
    """The counts of a stream; `union` has every bit that some score has, None if scores were rounded."""

    bits: int
    histogram: Histogram
    least: ExtremeCounts
    greatest: ExtremeCounts
    union: int | None

    @property
    def shift(self) -> np.uint32:
        """Number of lower bits of a key that are not part of its bin."""
        return np.uint32(32 - self.bits)

    @property
    def quantised(self) -> bool:
        """Whether each bin holds a single score, because the lower bits of all scores are zero."""
        return self.union is not None and not self.union & ((1 << int(self.shift)) - 1)


def groups_of(stream: StreamCounts, thresholds: NDArray[np.float32]) -> tuple[Groups, ThresholdPositions]:
    """Return the groups in ascending order, and the groups in which thresholds lie."""
    if stream.least.key < 0:
        none = np.empty(0, np.int64)
        no_groups = Groups(Counts(none, none, none, 0, 0), np.empty(0), np.empty(0, np.float32))
        return no_groups, ThresholdPositions(none, none > 0)
    extremes = [stream.least] if stream.least.key == stream.greatest.key else [stream.least, stream.greatest]
    inner = _without_extremes(stream.histogram, extremes, stream.shift)
    keys = keys_of(thresholds)
    places = _places(stream, keys)
    added = missing_values(inner.anomalous_bins, places)
    bins = np.insert(inner.anomalous_bins, np.searchsorted(inner.anomalous_bins, added), added)
    words = np.array([extreme.words() for extreme in extremes], np.uint64)
    anomalous = _framed(words[:, 2], _at(bins, inner.anomalous_bins, inner.anomalous))
    weight = _framed(Weights(words[:, 3], words[:, 4]).values, _at(bins, inner.anomalous_bins, inner.weight.values))
    equal = _framed(words[:, 1], _at(bins, inner.normal_bins, inner.normal))
    up_to = np.concatenate([[0], inner.normal.cumsum()])[np.searchsorted(inner.normal_bins, bins, side="right")]
    normals = int(inner.normal.sum()) + sum(extreme.normal for extreme in extremes)
    greater = normals - extremes[0].normal - _framed(np.array([0, inner.normal.sum()])[: len(extremes)], up_to)
    if len(extremes) > 1:
        greater[-1] = 0
    mixed = _mixed(stream, anomalous + equal)
    counts = Counts(anomalous, greater, equal, normals, int(anomalous.sum()), mixed if mixed.any() else None)
    least = _framed(words[:, 0], np.maximum(bins << stream.shift, np.uint32(stream.least.key + 1)))
    return Groups(counts, weight, scores_of(least)), _positions(stream, keys, places, bins)


def _without_extremes(histogram: Histogram, extremes: Sequence[ExtremeCounts], shift: np.uint32) -> Histogram:
    """Return the histogram without the pixels of the extreme scores."""
    normal, anomalous = histogram.normal.copy(), histogram.anomalous.copy()
    low, high = histogram.weight.low.copy(), histogram.weight.high.copy()
    for extreme in extremes:
        if extreme.normal:
            normal[np.searchsorted(histogram.normal_bins, extreme.key >> int(shift))] -= extreme.normal
        if extreme.anomalous:
            index = np.searchsorted(histogram.anomalous_bins, extreme.key >> int(shift))
            anomalous[index] -= extreme.anomalous
            rest = (int(high[index]) << 64) + int(low[index]) - extreme.weight
            low[index], high[index] = rest & WORD, rest >> 64
    return histogram._replace(normal=normal, anomalous=anomalous, weight=Weights(low, high))


def _framed(of_extremes: NDArray[np.generic], of_bins: NDArray[Any]) -> NDArray[Any]:
    """Return one value per group: of the least score, of each bin, and of the greatest score if it is another one."""
    extremes = of_extremes.astype(of_bins.dtype)
    return np.concatenate([extremes[:1], of_bins, extremes[1:]])


def _at(bins: UInt32s, known: UInt32s, values: NDArray[Any]) -> NDArray[Any]:
    """Return the values of some bins, 0 for those that are not among the `known` ones, which have `values`."""
    result = np.zeros(bins.size, values.dtype)
    positions = np.minimum(np.searchsorted(known, bins), max(known.size - 1, 0))
    present = known[positions] == bins if known.size else np.zeros(bins.size, np.bool_)
    result[present] = values[positions[present]]
    return result


def _mixed(stream: StreamCounts, pixels: Int64s) -> Bools:
    """Return which groups may hold different scores: not those of one pixel, nor extreme scores, unless rounded."""
    mixed: Bools = (pixels > 1) & (not stream.quantised)
    if stream.union is not None:
        mixed[0] = False
        mixed[-1] &= stream.least.key == stream.greatest.key and mixed.size > 1
    return mixed


def _places(stream: StreamCounts, keys: UInt32s) -> UInt32s:
    """Return the bin of each threshold; the one below if its own holds a single score, which is greater."""
    places: UInt32s = keys >> stream.shift
    if stream.quantised:
        rest = np.uint32((1 << int(stream.shift)) - 1)
        score = (places << stream.shift) | np.where(keys >> 31, np.uint32(0), rest)
        places = places - (score > keys)
    return places


def _positions(stream: StreamCounts, keys: UInt32s, places: UInt32s, bins: UInt32s) -> ThresholdPositions:
    """Return the group of each threshold, which is that of its place among the bins or of an extreme score."""
    group = np.searchsorted(bins, places) + 1
    lowest, highest = keys <= stream.least.key, keys >= stream.greatest.key
    group[highest] = bins.size + 1
    group[lowest] = 0
    return ThresholdPositions(group, ~(lowest | highest) & (not stream.quantised) | (stream.union is None))
