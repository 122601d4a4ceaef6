"""Recall at a false-alarm rate, with an interval that covers it as often as it says."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from zsadbench.thresholds import conformal_threshold, recall_of


def test_recall_is_the_share_above_the_threshold():
    normal = [index / 100 for index in range(100)]
    found = recall_of(normal, [0.5, 0.96, 2.0, 3.0], 0.05)
    assert (found.value, found.defective, found.alpha) == (
        0.75 if conformal_threshold(normal, 0.05).threshold < 0.96 else 0.5,
        4,
        0.05,
    )
    assert found.low <= found.value <= found.high


def test_the_interval_covers_the_recall_that_is_expected():
    """Normal scores N(0, 1), defective N(2, 1); the recall of the true quantile lies inside about 95 in 100 times."""
    generator, true, draws = np.random.default_rng(0), float(norm.sf(norm.isf(0.1) - 2)), 200
    inside = 0
    for _ in range(draws):
        found = recall_of(generator.normal(size=150).tolist(), generator.normal(2, 1, 80).tolist(), 0.1)
        inside += found.low <= true <= found.high
    assert inside >= binom(draws, 0.95).ppf(0.001)


@pytest.mark.parametrize(("shift", "value"), [(10.0, 1.0), (-10.0, 0.0)])
def test_separate_scores_have_a_recall_without_spread(shift, value):
    normal = np.random.default_rng(0).normal(size=50)
    found = recall_of(normal.tolist(), (normal + shift).tolist(), 0.1)
    assert (found.value, found.low, found.high) == (value, value, value)
