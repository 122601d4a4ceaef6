"""The conformal threshold keeps its promise: the law of its false-alarm rate, exactly, in simulated draws."""

import numpy as np
import pytest
from scipy.stats import beta, binom, kstest

from zsadbench.errors import DataError, UsageError
from zsadbench.thresholds import conformal_threshold, images_needed

DRAWS = 1000
SETTINGS = [(number, alpha) for number in (19, 50, 200) for alpha in (0.05, 0.1)]


@pytest.mark.parametrize(("number", "alpha"), SETTINGS)
def test_a_thousand_fits_have_the_rates_of_the_law(number, alpha):
    """The true rate of a fit on uniform scores is 1 − threshold; over fits it is Beta(n + 1 − k, k)."""
    generator = np.random.default_rng([number, int(1000 * alpha)])
    fits = [conformal_threshold(generator.random(number).tolist(), alpha) for _ in range(DRAWS)]
    rates = np.array([1 - fit.threshold for fit in fits])
    law = beta(number + 1 - fits[0].rank, fits[0].rank)
    assert kstest(rates, law.cdf).pvalue > 0.001
    error = law.std() / DRAWS**0.5
    assert rates.mean() == pytest.approx(fits[0].expected, abs=4 * error)
    assert fits[0].expected == pytest.approx(law.mean())
    assert fits[0].expected <= alpha < fits[0].expected + 1 / (number + 1)
    inside = sum(fits[0].low <= rate <= fits[0].high for rate in rates)
    assert binom(DRAWS, 0.9).ppf(0.0005) <= inside <= binom(DRAWS, 0.9).ppf(0.9995)


@pytest.mark.parametrize(("number", "alpha"), SETTINGS)
@pytest.mark.parametrize("scores", ["normal", "lognormal", "saturated"])
def test_one_new_image_a_fit_is_a_false_alarm_as_often_as_promised(number, alpha, scores):
    """n + 1 exchangeable scores of any distribution: alarms over fits are binomial, of the expected rate at most."""
    generator = np.random.default_rng([number, int(1000 * alpha), len(scores)])
    drawn = {
        "normal": lambda size: generator.normal(size=size),
        "lognormal": lambda size: generator.lognormal(2.0, 3.0, size=size),
        "saturated": lambda size: np.minimum(1.0, generator.normal(0.9, 0.2, size=size)).round(2),
    }[scores]((DRAWS, number + 1))
    fits = [conformal_threshold(row[:-1].tolist(), alpha) for row in drawn]
    alarms = sum(row[-1] > fit.threshold for row, fit in zip(drawn, fits, strict=True))
    law = binom(DRAWS, fits[0].expected)
    assert alarms <= law.ppf(0.9995)
    if scores != "saturated":
        assert alarms >= law.ppf(0.0005)


def test_the_threshold_is_the_order_statistic_and_equal_scores_are_counted():
    fit = conformal_threshold([3.0, 1.0, 2.0, *range(4, 20)], 0.05)
    assert (fit.threshold, fit.rank, fit.tied, fit.normal) == (19, 19, 1, 19)
    assert conformal_threshold([1.0] * 30, 0.1).tied == 30


@pytest.mark.parametrize(
    ("alpha", "number", "needed"), [(0.05, 18, 19), (0.1, 8, 9), (0.01, 50, 99), (0.3, 2, 3), (0.05, 0, 19)]
)
def test_too_few_images_are_refused_with_the_number_needed(alpha, number, needed):
    assert images_needed(alpha) == needed
    with pytest.raises(DataError, match=f"at least {needed} are needed"):
        conformal_threshold([0.5] * number, alpha)
    assert conformal_threshold([0.5] * needed, alpha).rank <= needed


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 7, float("nan")])
def test_a_rate_lies_between_0_and_1(alpha):
    with pytest.raises(UsageError, match="between 0 and 1"):
        conformal_threshold([0.5] * 100, alpha)
