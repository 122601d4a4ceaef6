"""Which differences are more than chance. The unit is the data set: its classes and images are no independent trials.

*Hierarchical paired bootstrap*: data sets are drawn with replacement, within each its classes, within each class its
images (normal and anomalous ones apart), and one seed of each method; all methods meet the same draw. The interval
holds the middle 95 % of the differences between means over data sets. Images are drawn where their scores are beside
the records and the metric follows from them (`image_auroc`, `image_ap`), or where a caller brings what drawn images
change; other metrics keep their images fixed.

*Wilcoxon's signed-rank test* between every two methods over the data sets, two-sided, with Holm's correction over the
pairs. With fewer than six data sets there is no test: five equal signs still give p = 0.0625.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

FEWEST = 6  # data sets that a test over data sets needs
LEVEL = 0.05
DRAWS = 2000
Values = NDArray[np.float64]


class Images(NamedTuple):
    """One class as several methods see it: `labels` (images,), `scores[method]` (seeds, images); the same images."""

    labels: NDArray[np.int64]
    scores: Mapping[str, Values]


class Sample(NamedTuple):
    """One class of one data set: `values[method]` (seeds,), and its images where the metric follows from them.

    `deviations[method]` (seeds, draws) are the metric of drawn images less that of all, for metrics of pixels.
    """

    values: Mapping[str, Values]
    images: Images | None = None
    deviations: Mapping[str, Values] | None = None

    @property
    def drawn(self) -> bool:
        """Whether its images can be drawn."""
        return self.images is not None or self.deviations is not None


class Difference(NamedTuple):
    """Mean of `left` minus mean of `right` over `sets` data sets, its 95 % interval, and Holm's p or None."""

    left: str
    right: str
    mean: float
    low: float
    high: float
    p: float | None
    sets: int


def differences(
    data: Mapping[str, Mapping[str, Sample]], methods: Sequence[str], metric: str, draws: int = DRAWS, seed: int = 0
) -> list[Difference]:
    """Every two methods compared on `data`: data set → class → sample, which all methods have.

    Values are fractions. Draws follow `seed`, so that a report made again says the same.
    """
    generator = np.random.default_rng(seed)
    pools = [_pool_of_set(classes, methods, metric, draws, generator) for classes in data.values()]
    means = _draw(np.stack(pools), generator)
    observed = np.array([_observed(classes, methods) for classes in data.values()])
    found, tests = [], holm(_pairwise(observed)) if len(data) >= FEWEST else None
    for number, (left, right) in enumerate(combinations(range(len(methods)), 2)):
        low, high = np.quantile(means[left] - means[right], [LEVEL / 2, 1 - LEVEL / 2])
        mean = float((observed[:, left] - observed[:, right]).mean())
        p = tests[number] if tests is not None else None
        found.append(Difference(methods[left], methods[right], mean, float(low), float(high), p, len(data)))
    return found


def rank_intervals(found: Sequence[Difference], methods: Sequence[str]) -> dict[str, tuple[int, int]]:
    """1 + the number of methods significantly better, to their number minus those significantly worse."""
    ranks = {name: [1, len(methods)] for name in methods}
    for one in found:
        if one.p is not None and one.p < LEVEL and one.mean:
            better, worse = (one.left, one.right) if one.mean > 0 else (one.right, one.left)
            ranks[worse][0] += 1
            ranks[better][1] -= 1
    return {name: (first, last) for name, (first, last) in ranks.items()}


def holm(values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p-values, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(values), 0.0
    for place, index in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        largest = max(largest, min(1.0, (len(values) - place) * values[index]))
        adjusted[index] = largest
    return adjusted


def p_text(p: float) -> str:
    """A p-value behind the name that it has in a sentence.

    >>> p_text(0.0312), p_text(0.0001)
    ('= 0.031', '< 0.001')
    """
    return f"= {p:.3f}" if p >= 0.0005 else "< 0.001"


def _pairwise(observed: Values) -> list[float]:
    """Two-sided Wilcoxon p of every pair of columns; 1 where all differences are nought."""
    gaps = [observed[:, left] - observed[:, right] for left, right in combinations(range(observed.shape[1]), 2)]
    return [float(wilcoxon(np.round(gap, 12)).pvalue) if np.round(gap, 12).any() else 1.0 for gap in gaps]


def _observed(classes: Mapping[str, Sample], methods: Sequence[str]) -> list[float]:
    return [float(np.mean([sample.values[name].mean() for sample in classes.values()])) for name in methods]


def _pool_of_set(
    classes: Mapping[str, Sample], methods: Sequence[str], metric: str, draws: int, generator: np.random.Generator
) -> Values:
    """(methods, draws): means over resampled classes of one data set, one seed of each method a draw."""
    samples = list(classes.values())
    replicates = [_replicates(sample, methods, metric, draws, generator) for sample in samples]
    picked = generator.integers(len(samples), size=(draws, len(samples)))
    which = generator.integers(draws, size=picked.shape)
    pools = []
    for place in range(len(methods)):
        seeds = generator.integers(min(one[place].shape[0] for one in replicates), size=(draws, 1))
        values = np.stack([one[place][: int(seeds.max()) + 1] for one in replicates])  # (classes, seeds, draws)
        pools.append(values[picked, seeds, which].mean(axis=1))
    return np.stack(pools)


def _draw(pools: Values, generator: np.random.Generator) -> Values:
    """(methods, draws) from the pools (sets, methods, draws): means over resampled data sets."""
    sets, _, draws = pools.shape
    picked, which = generator.integers(sets, size=(draws, sets)), generator.integers(draws, size=(draws, sets))
    drawn: Values = pools[picked, :, which]  # (draws, sets, methods)
    means: Values = drawn.mean(axis=1).T
    return means


def _replicates(
    sample: Sample, methods: Sequence[str], metric: str, draws: int, generator: np.random.Generator
) -> list[Values]:
    """For each method (seeds, draws): the metric on resampled images, or its one value where images stay fixed."""
    if sample.deviations is not None:
        return [sample.values[name][:, None] + sample.deviations[name][:, :draws] for name in methods]
    if sample.images is None or metric not in WEIGHTED:
        return [np.repeat(sample.values[name][:, None], draws, axis=1) for name in methods]
    labels = sample.images.labels
    weights = np.zeros((draws, len(labels)))
    for label in (0, 1):
        places = np.flatnonzero(labels == label)
        weights[:, places] = generator.multinomial(len(places), np.full(len(places), 1 / len(places)), size=draws)
    measure = WEIGHTED[metric]
    return [np.stack([measure(row, labels, weights) for row in sample.images.scores[name]]) for name in methods]


def weighted_auroc(scores: Values, labels: NDArray[np.int64], weights: Values) -> Values:
    """AUROC (draws,) of images counted `weights` (draws, images) times; ties count half."""
    positive, negative = labels == 1, labels == 0
    wins = np.sign(scores[positive][:, None] - scores[negative][None, :]) / 2 + 0.5
    counts = weights[:, positive].sum(axis=1) * weights[:, negative].sum(axis=1)
    area: Values = np.einsum("dp,dp->d", weights[:, positive], weights[:, negative] @ wins.T) / counts
    return area


def weighted_ap(scores: Values, labels: NDArray[np.int64], weights: Values) -> Values:
    """Average precision (draws,) of images counted `weights` (draws, images) times; equal scores are one threshold."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    seen = np.cumsum(weights[:, order], axis=1)[:, last]
    hits = np.cumsum(weights[:, order] * labels[order], axis=1)[:, last]
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    gained = np.diff(hits, axis=1, prepend=0.0)
    found: Values = (gained * precision).sum(axis=1) / hits[:, -1]
    return found


WEIGHTED = {"image_auroc": weighted_auroc, "image_ap": weighted_ap}
