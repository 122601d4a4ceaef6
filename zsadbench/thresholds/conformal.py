"""A threshold from scores of normal images alone: the conformal quantile.

With n scores of normal images and a rate alpha, the threshold is the k-th smallest score, k = ⌈(n + 1)(1 − alpha)⌉. If
a new normal image is exchangeable with the n images, it scores above the threshold with a probability of at most alpha,
and of exactly 1 − k/(n + 1) where no two scores are equal. No distribution of scores is assumed. The probability is an
average over the n images as well: the rate of one threshold that was fitted, over very many new images, is itself
random, and has the distribution Beta(n + 1 − k, k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from zsadbench.errors import DataError, UsageError

RANGE = 0.9  # of the distribution of the rate that is stated
ROUNDING = 1e-6  # relative; values of one image differ by less between batches of different sizes


@dataclass(frozen=True)
class ConformalThreshold:
    """A threshold and what is promised of it.

    Attributes:
        threshold: images that score above it are called anomalous, see `is_above`.
        alpha: the largest false-alarm rate, as a fraction.
        normal: number of normal images, n.
        rank: place of the threshold among the n scores from below, from 1.
        expected: the false-alarm rate, averaged over exchangeable images, where no two scores are equal.
        low: the rate of one fitted threshold lies between `low` and `high` in 9 of 10 fits.
        high: see `low`.
        tied: how many of the n scores equal the threshold, itself included.
    """

    threshold: float
    alpha: float
    normal: int
    rank: int
    expected: float
    low: float
    high: float
    tied: int

    @property
    def guarantee(self) -> str:
        """What is promised, in words.

        >>> print(conformal_threshold([0.1 * n for n in range(19)], 0.05).guarantee)
        a new normal image scores above it with a probability of at most 5 %, on average over 19 normal images and the new one, if all are exchangeable (the same camera, light, product and wear); the rate of this one threshold lies between 0.27 % and 14.6 % in 9 of 10 such fits
        """  # noqa: E501 - one sentence
        return (
            f"a new normal image scores above it with a probability of at most {percent(self.alpha)}, on average over "
            f"{self.normal} normal images and the new one, if all are exchangeable (the same camera, light, product "
            f"and wear); the rate of this one threshold lies between {percent(self.low)} and {percent(self.high)} in "
            "9 of 10 such fits"
        )


def conformal_threshold(scores: Sequence[float], alpha: float) -> ConformalThreshold:
    """Return the conformal quantile of scores of normal images, with the law of its false-alarm rate.

    Args:
        scores: one per normal image, finite, in any order.
        alpha: the largest false-alarm rate, between 0 and 1.

    Raises:
        UsageError: alpha is not between 0 and 1.
        DataError: there are too few scores; the message says how many are needed.
    """
    needed, number = images_needed(alpha), len(scores)
    if number < needed:
        raise DataError(
            f"{number} normal images are too few for a false-alarm rate of {percent(alpha)}: at least {needed} are "
            f"needed (1/alpha − 1); give more, or a larger --alpha, at least {_smallest_alpha(number)} for {number}"
        )
    from scipy.stats import beta

    above = floor((number + 1) * exact(alpha))
    rank = number + 1 - above
    ordered = sorted(scores)
    threshold = ordered[rank - 1]
    low, high = beta.interval(RANGE, above, rank)
    return ConformalThreshold(
        float(threshold),
        alpha,
        number,
        rank,
        above / (number + 1),
        float(low),
        float(high),
        ordered.count(threshold),
    )


def is_above(value: float, threshold: float) -> bool:
    """Whether a value is above a threshold by more than rounding: this is when something is called anomalous.

    >>> is_above(0.5000001, 0.5), is_above(0.50001, 0.5)
    (False, True)
    """
    return value > threshold + ROUNDING * abs(threshold)


def images_needed(alpha: float) -> int:
    """Return the smallest number of normal images for a rate: n ≥ 1/alpha − 1.

    >>> [images_needed(alpha) for alpha in (0.05, 0.1, 0.01, 0.3)]
    [19, 9, 99, 3]

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha is {alpha}; it is a rate between 0 and 1, such as 0.05")
    return ceil(1 / exact(alpha)) - 1


def exact(rate: float) -> Fraction:
    """Return a rate as its decimal digits say, so that 0.05 of 20 is 1."""
    return Fraction(repr(float(rate)))


def percent(rate: float) -> str:
    """Write a rate with three digits.

    >>> [percent(rate) for rate in (0.05, 0.14587, 0.002697, 0.0, 1.0)]
    ['5 %', '14.6 %', '0.27 %', '0 %', '100 %']
    """
    return f"{100 * rate:.3g} %"


def _smallest_alpha(number: int) -> str:
    """Return the smallest rate that this many images allow, rounded up to three digits after the point."""
    return f"{ceil(Fraction(1000, number + 1)) / 1000:g}"
