"""Whether a false-alarm rate still fits: the exact binomial interval, and the beta-binomial law."""

import numpy as np
import pytest
from scipy.stats import beta, binom, chisquare

from zsadbench.thresholds import agreement_of, conformal_threshold


def test_the_interval_is_clopper_and_pearsons():
    found = agreement_of(3, 40, alpha=0.05, normal=19, rank=19)
    assert found.low == pytest.approx(beta.ppf(0.025, 3, 38))
    assert found.high == pytest.approx(beta.ppf(0.975, 4, 37))
    assert found.rate == 3 / 40


def test_the_chance_is_that_of_the_beta_binomial_law():
    """Fits and new images are drawn 4,000 times: counts have the law, `too many` comes in at most 5 in 100."""
    generator, number, images, draws = np.random.default_rng(1), 50, 30, 4000
    counts = np.zeros(images + 1, np.int64)
    for _ in range(draws):
        fit = conformal_threshold(generator.normal(size=number).tolist(), 0.1)
        counts[(generator.normal(size=images) > fit.threshold).sum()] += 1
    found = [agreement_of(above, images, alpha=0.1, normal=number, rank=fit.rank) for above in range(images + 1)]
    tails = np.array([*(one.chance for one in found), 0.0])
    expected = draws * -np.diff(tails)
    last = int(np.argmax(expected < 10))  # classes of at least ten
    pooled = [np.append(values[:last], values[last:].sum()) for values in (counts, expected)]
    assert chisquare(pooled[0], pooled[1] * draws / pooled[1].sum()).pvalue > 0.001
    wrong = sum(count for count, one in zip(counts, found, strict=True) if one.verdict == "too many")
    assert wrong <= binom(draws, 0.05).ppf(0.999)


@pytest.mark.parametrize(("above", "verdict"), [(0, "fits"), (2, "fits"), (20, "too many"), (40, "too many")])
def test_verdicts(above, verdict):
    found = agreement_of(above, 40, alpha=0.05, normal=100, rank=96)
    assert found.verdict == verdict
    assert ("something has changed" in found.sentence) == (verdict == "too many")


def test_far_fewer_alarms_than_expected_are_said():
    found = agreement_of(0, 200, alpha=0.2, normal=200, rank=161)
    assert found.verdict == "too few"
    assert "a new threshold may find more defects" in found.sentence
