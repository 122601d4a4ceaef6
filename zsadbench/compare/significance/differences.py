"""Differences between methods: intervals of a bootstrap, and a test over data sets.

The unit is the data set: the classes and images of one data set are not independent trials.

*Hierarchical paired bootstrap*: data sets are drawn with replacement, within each its classes, within each class its
images (normal and anomalous ones separately), and one seed of each method; all methods get the same draw. The interval
is the middle 95 % of the differences between means over data sets. Images are drawn for metrics computed from the
scores of images (`image_auroc`, `image_ap`) where the records have these scores, and for other metrics where the caller
passes deviations. Otherwise images stay fixed.

*Wilcoxon's signed-rank test* between two methods over the data sets, two-sided, with Holm's correction: over all pairs,
or over the comparisons of one reference with every other method (`against`), which are fewer. It needs six data sets:
with five, even equal signs give p = 0.0625 only. `smallest_p` is the smallest p that a number of data sets allows.
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
FloatArray = NDArray[np.float64]


class ImageScores(NamedTuple):
    """The images of one class: `labels` (images,), 1 for anomalous, and `scores[method]` (seeds, images)."""

    labels: NDArray[np.int64]
    scores: Mapping[str, FloatArray]


class Sample(NamedTuple):
    """One metric on one class of one data set.

    Attributes:
        values: method → fractions (seeds,).
        images: scores of the images, for a metric computed from them; else None.
        deviations: method → (seeds, draws), the metric on resampled images minus that on all images, for a metric of
            pixels; None where it is unknown.
    """

    values: Mapping[str, FloatArray]
    images: ImageScores | None = None
    deviations: Mapping[str, FloatArray] | None = None

    @property
    def has_images(self) -> bool:
        """Whether its images can be resampled."""
        return self.images is not None or self.deviations is not None


class PairTest(NamedTuple):
    """Wilcoxon's test of two methods over `sets` data sets; `p` is corrected, `raw` is not; None without a test.

    `mean` is the mean of `left` minus that of `right`, as a fraction.
    """

    left: str
    right: str
    mean: float
    p: float | None
    raw: float | None
    sets: int


class Difference(NamedTuple):
    """Mean of `left` minus mean of `right` over `sets` data sets, and its 95 % interval, as fractions.

    `p` is Wilcoxon's p after Holm's correction, `raw` the one before it; None without a test.
    """

    left: str
    right: str
    mean: float
    low: float
    high: float
    p: float | None
    sets: int
    raw: float | None = None


def differences(
    data: Mapping[str, Mapping[str, Sample]], methods: Sequence[str], metric: str, draws: int = DRAWS, seed: int = 0
) -> list[Difference]:
    """Compare every two methods.

    Args:
        data: data set → class → sample; every method has all of them.
        methods: the methods to compare.
        metric: the metric of the samples.
        draws: number of draws of the bootstrap.
        seed: seed of the draws; equal seeds give equal results.
    """
    generator = np.random.default_rng(seed)
    pools = np.stack([_resample_classes(classes, methods, metric, draws, generator) for classes in data.values()])
    means = _resample_sets(pools, generator)
    observed = np.array(
        [
            [float(np.mean([sample.values[name].mean() for sample in classes.values()])) for name in methods]
            for classes in data.values()
        ]
    )
    results = []
    pairs = combinations(range(len(methods)), 2)
    for test, (left, right) in zip(pair_tests(observed, methods), pairs, strict=True):
        low, high = np.quantile(means[left] - means[right], [LEVEL / 2, 1 - LEVEL / 2])
        results.append(
            Difference(test.left, test.right, test.mean, float(low), float(high), test.p, test.sets, test.raw)
        )
    return results


def pair_tests(observed: FloatArray, methods: Sequence[str]) -> list[PairTest]:
    """Test every two methods, with Holm's correction over all pairs.

    Args:
        observed: (data sets, methods), the mean over classes and seeds as fractions.
        methods: the names of the columns.
    """
    sets, pairs = len(observed), list(combinations(range(len(methods)), 2))
    gaps = [observed[:, left] - observed[:, right] for left, right in pairs]
    raw = [_wilcoxon(gap) for gap in gaps] if sets >= FEWEST else None
    corrected = holm(raw) if raw is not None else None
    return [
        PairTest(
            methods[left],
            methods[right],
            float(gaps[number].mean()),
            corrected[number] if corrected is not None else None,
            raw[number] if raw is not None else None,
            sets,
        )
        for number, (left, right) in enumerate(pairs)
    ]


def against(pairs: Sequence[Difference], reference: str) -> list[Difference]:
    """The differences of `reference` minus every other method, with Holm's correction over these comparisons only.

    `pairs` are the differences of every two methods; their other comparisons are left out.
    """
    own = [pair if pair.left == reference else _turned(pair) for pair in pairs if reference in {pair.left, pair.right}]
    raw = [pair.raw for pair in own if pair.raw is not None]
    corrected = holm(raw) if len(raw) == len(own) else [None] * len(own)
    return [pair._replace(p=p) for pair, p in zip(own, corrected, strict=True)]


def _turned(pair: Difference) -> Difference:
    """The same difference with its sides exchanged."""
    return pair._replace(left=pair.right, right=pair.left, mean=-pair.mean, low=-pair.high, high=-pair.low)


def smallest_p(sets: int, comparisons: int = 1) -> float:
    """The smallest p that Wilcoxon's two-sided test can give over `sets` data sets, after Holm over `comparisons`.

    It is 2 · 2^-sets where one method is better on every data set, times the number of comparisons, and at most 1.

    >>> smallest_p(6), smallest_p(6, 2), smallest_p(6, 45)
    (0.03125, 0.0625, 1.0)
    """
    return min(1.0, comparisons * 2.0 ** (1 - sets))


def rank_intervals(pairs: Sequence[Difference | PairTest], methods: Sequence[str]) -> dict[str, tuple[int, int]]:
    """First and last possible rank of each method.

    The first is 1 + the number of methods that are significantly better, the last is the number of methods minus those
    that are significantly worse. `pairs` are the differences of every two methods.
    """
    ranks = {name: [1, len(methods)] for name in methods}
    for pair in pairs:
        if pair.p is not None and pair.p < LEVEL and pair.mean:
            better, worse = (pair.left, pair.right) if pair.mean > 0 else (pair.right, pair.left)
            ranks[worse][0] += 1
            ranks[better][1] -= 1
    return {name: (first, last) for name, (first, last) in ranks.items()}


def holm(values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's step-down procedure; the result has the order of `values`.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(values), 0.0
    for position, index in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        largest = max(largest, min(1.0, (len(values) - position) * values[index]))
        adjusted[index] = largest
    return adjusted


def p_text(p: float) -> str:
    """A p-value as it follows `p` in a sentence.

    >>> p_text(0.0312), p_text(0.0001)
    ('= 0.031', '< 0.001')
    """
    return f"= {p:.3f}" if p >= 0.0005 else "< 0.001"


def _wilcoxon(gap: FloatArray) -> float:
    """Two-sided Wilcoxon p of the differences of one pair; 1 where all of them are zero."""
    rounded = np.round(gap, 12)
    return float(wilcoxon(rounded).pvalue) if rounded.any() else 1.0


def _resample_classes(
    classes: Mapping[str, Sample], methods: Sequence[str], metric: str, draws: int, generator: np.random.Generator
) -> FloatArray:
    """(methods, draws): means over resampled classes of one data set, with one seed of each method per draw."""
    samples = list(classes.values())
    replicates = [_resample_images(sample, methods, metric, draws, generator) for sample in samples]
    picked = generator.integers(len(samples), size=(draws, len(samples)))
    which = generator.integers(draws, size=picked.shape)
    pools = []
    for method in range(len(methods)):
        of_method = [of_class[method] for of_class in replicates]
        seeds = generator.integers(min(values.shape[0] for values in of_method), size=(draws, 1))
        values = np.stack([values[: int(seeds.max()) + 1] for values in of_method])  # (classes, seeds, draws)
        pools.append(values[picked, seeds, which].mean(axis=1))
    return np.stack(pools)


def _resample_sets(pools: FloatArray, generator: np.random.Generator) -> FloatArray:
    """(methods, draws): means over resampled data sets, from `pools` (sets, methods, draws)."""
    sets, _, draws = pools.shape
    picked, which = generator.integers(sets, size=(draws, sets)), generator.integers(draws, size=(draws, sets))
    drawn: FloatArray = pools[picked, :, which]  # (draws, sets, methods)
    means: FloatArray = drawn.mean(axis=1).T
    return means


def _resample_images(
    sample: Sample, methods: Sequence[str], metric: str, draws: int, generator: np.random.Generator
) -> list[FloatArray]:
    """For each method (seeds, draws): the metric on resampled images, or its one value where images stay fixed."""
    if sample.deviations is not None:
        return [sample.values[name][:, None] + sample.deviations[name][:, :draws] for name in methods]
    if sample.images is None or metric not in WEIGHTED:
        return [np.repeat(sample.values[name][:, None], draws, axis=1) for name in methods]
    labels = sample.images.labels
    weights = np.zeros((draws, len(labels)))
    for label in (0, 1):
        images = np.flatnonzero(labels == label)
        weights[:, images] = generator.multinomial(len(images), np.full(len(images), 1 / len(images)), size=draws)
    measure = WEIGHTED[metric]
    return [np.stack([measure(row, labels, weights) for row in sample.images.scores[name]]) for name in methods]


def weighted_auroc(scores: FloatArray, labels: NDArray[np.int64], weights: FloatArray) -> FloatArray:
    """AUROC (draws,) where each image counts `weights` (draws, images) times; ties count half."""
    positive, negative = labels == 1, labels == 0
    wins = np.sign(scores[positive][:, None] - scores[negative][None, :]) / 2 + 0.5
    counts = weights[:, positive].sum(axis=1) * weights[:, negative].sum(axis=1)
    area: FloatArray = np.einsum("dp,dp->d", weights[:, positive], weights[:, negative] @ wins.T) / counts
    return area


def weighted_ap(scores: FloatArray, labels: NDArray[np.int64], weights: FloatArray) -> FloatArray:
    """Average precision (draws,) where each image counts `weights` (draws, images) times; ties are one threshold."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    seen = np.cumsum(weights[:, order], axis=1)[:, last]
    hits = np.cumsum(weights[:, order] * labels[order], axis=1)[:, last]
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    gained = np.diff(hits, axis=1, prepend=0.0)
    average: FloatArray = (gained * precision).sum(axis=1) / hits[:, -1]
    return average


WEIGHTED = {"image_auroc": weighted_auroc, "image_ap": weighted_ap}
