"""From the histograms of a stream to groups of pixels: a bin is a group, and so is each extreme score."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.counts import Counts, absent
from zsadbench.metrics.counting.groups import Groups, Places
from zsadbench.metrics.counting.histogram import WORD, Edge, Histogram
from zsadbench.metrics.counting.image import keys_of, scores_of
from zsadbench.metrics.counting.weights import Weights


class Stream(NamedTuple):
    """What was counted. `union` has the bits that some score has, None where scores were rounded."""

    bits: int
    histogram: Histogram
    least: Edge
    greatest: Edge
    union: int | None

    @property
    def shift(self) -> np.uint32:
        """Bits of a key that do not name its bin."""
        return np.uint32(32 - self.bits)

    @property
    def quantised(self) -> bool:
        """Whether each bin holds one score: no score has one of the bits that were left out."""
        return self.union is not None and not self.union & ((1 << int(self.shift)) - 1)


def groups_of(stream: Stream, cuts: NDArray[np.float32]) -> tuple[Groups, Places]:
    """The groups in ascending order, and where `cuts` lie."""
    if stream.least.key < 0:
        none = np.empty(0, np.int64)
        return Groups(Counts(none, none, none, 0, 0), np.empty(0), np.empty(0, np.float32)), Places(none, none > 0)
    edges = [stream.least] if stream.least.key == stream.greatest.key else [stream.least, stream.greatest]
    inner = _without(stream.histogram, edges, stream.shift)
    keys = keys_of(cuts)
    new = absent(inner.anomalous_bins, keys >> stream.shift)
    bins = np.insert(inner.anomalous_bins, np.searchsorted(inner.anomalous_bins, new), new)
    words = np.array([edge.words() for edge in edges], np.uint64)
    anomalous = _framed(words[:, 2], _at(bins, inner.anomalous_bins, inner.anomalous))
    weight = _framed(Weights(words[:, 3], words[:, 4]).values, _at(bins, inner.anomalous_bins, inner.weight.values))
    equal = _framed(words[:, 1], _at(bins, inner.normal_bins, inner.normal))
    up_to = np.concatenate([[0], inner.normal.cumsum()])[np.searchsorted(inner.normal_bins, bins, side="right")]
    normals = int(inner.normal.sum()) + sum(edge.normal for edge in edges)
    greater = normals - edges[0].normal - _framed(np.array([0, inner.normal.sum()])[: len(edges)], up_to)
    if len(edges) > 1:
        greater[-1] = 0
    mixed = _mixed(stream, anomalous + equal)
    counts = Counts(anomalous, greater, equal, normals, int(anomalous.sum()), mixed if mixed.any() else None)
    least = _framed(words[:, 0], np.maximum(bins << stream.shift, np.uint32(stream.least.key + 1)))
    return Groups(counts, weight, scores_of(least)), _places(stream, keys, bins)


def _without(histogram: Histogram, edges: Sequence[Edge], shift: np.uint32) -> Histogram:
    """The histogram less the pixels of the extreme scores."""
    normal, anomalous = histogram.normal.copy(), histogram.anomalous.copy()
    low, high = histogram.weight.low.copy(), histogram.weight.high.copy()
    for edge in edges:
        if edge.normal:
            normal[np.searchsorted(histogram.normal_bins, edge.key >> int(shift))] -= edge.normal
        if edge.anomalous:
            at = np.searchsorted(histogram.anomalous_bins, edge.key >> int(shift))
            anomalous[at] -= edge.anomalous
            rest = (int(high[at]) << 64) + int(low[at]) - edge.weight
            low[at], high[at] = rest & WORD, rest >> 64
    return histogram._replace(normal=normal, anomalous=anomalous, weight=Weights(low, high))


def _framed(of_edges: NDArray[np.generic], of_bins: NDArray[Any]) -> NDArray[Any]:
    """What belongs to the least score, to each bin, and to the greatest score where it is another."""
    edges = of_edges.astype(of_bins.dtype)
    return np.concatenate([edges[:1], of_bins, edges[1:]])


def _at(bins: NDArray[np.uint32], known: NDArray[np.uint32], values: NDArray[Any]) -> NDArray[Any]:
    """The values of some bins, 0 for bins that are not known."""
    found = np.zeros(bins.size, values.dtype)
    places = np.minimum(np.searchsorted(known, bins), max(known.size - 1, 0))
    there = known[places] == bins if known.size else np.zeros(bins.size, np.bool_)
    found[there] = values[places[there]]
    return found


def _mixed(stream: Stream, pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which groups may hold different scores: no single pixel does, nor an extreme score that was not rounded."""
    mixed: NDArray[np.bool_] = (pixels > 1) & (not stream.quantised)
    if stream.union is not None:
        mixed[0] = False
        mixed[-1] &= stream.least.key == stream.greatest.key and mixed.size > 1
    return mixed


def _places(stream: Stream, keys: NDArray[np.uint32], bins: NDArray[np.uint32]) -> Places:
    """The group that each cut lies in; where that holds one score, and it is greater than the cut, the group below."""
    places = np.searchsorted(bins, keys >> stream.shift) + 1
    if stream.quantised:
        rest = np.uint32((1 << int(stream.shift)) - 1)
        score = (keys >> stream.shift << stream.shift) | np.where(keys >> 31, np.uint32(0), rest)
        places -= score > keys
    lowest, highest = keys <= stream.least.key, keys >= stream.greatest.key
    places[highest] = bins.size + 1
    places[lowest] = 0
    return Places(places, ~(lowest | highest) & (not stream.quantised) | (stream.union is None))
