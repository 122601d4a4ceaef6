"""Whether the false-alarm rate of a threshold on new normal images still fits what was promised.

Two questions, each answered exactly:

- In which interval lies the rate on images such as the new ones? Clopper and Pearson's binomial interval, 95 %.
- Do the new images behave like those of the fit? If all are exchangeable, the number of m new images above the k-th of
  n scores has the beta-binomial distribution BetaBinomial(m, n + 1 − k, k), whatever the scores are (without
  equal ones; with them the number is smaller). A number with an upper tail below 5 % says that they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zsadbench.thresholds.conformal import percent

LEVEL = 0.95
Verdict = Literal["fits", "too many", "too few"]


@dataclass(frozen=True)
class Agreement:
    """False alarms on new normal images, against what a threshold promises.

    Attributes:
        images: number of new normal images, m.
        above: how many score above the threshold.
        rate: `above / images`.
        low: lower end of the binomial interval of the rate, 95 %.
        high: its upper end.
        alpha: the rate that was promised.
        chance: probability of so many false alarms or more, if the new images are exchangeable with those of the fit.
        chance_of_fewer: probability of so few or fewer.
        verdict: `too many` where `chance` is below 5 %; `too few` where `chance_of_fewer` is, which costs recall.
    """

    images: int
    above: int
    rate: float
    low: float
    high: float
    alpha: float
    chance: float
    chance_of_fewer: float
    verdict: Verdict

    @property
    def sentence(self) -> str:
        """The answer in words."""
        seen = (
            f"{self.above} of {self.images} normal images are above the threshold: {percent(self.rate)}, "
            f"95 % interval {percent(self.low)} to {percent(self.high)}; promised is at most {percent(self.alpha)}"
        )
        return (
            seen
            + {
                "fits": ". This fits",
                "too many": (
                    f". This does not fit: so many or more have a chance of {percent(self.chance)} if the images are "
                    "like those of the fit; something has changed, fit again on new images"
                ),
                "too few": (
                    f". Fewer than expected: so few have a chance of {percent(self.chance_of_fewer)}; no more false "
                    "alarms than promised, but a new threshold may find more defects"
                ),
            }[self.verdict]
        )


def agreement_of(above: int, images: int, *, alpha: float, normal: int, rank: int) -> Agreement:
    """Compare false alarms on new normal images with a conformal threshold.

    Args:
        above: new normal images above the threshold.
        images: new normal images, at least one.
        alpha: the promised rate.
        normal: images of the fit, n.
        rank: place of the threshold among their scores, k.
    """
    from scipy.stats import betabinom, binomtest

    interval = binomtest(above, images).proportion_ci(LEVEL, method="exact")
    law = betabinom(images, normal + 1 - rank, rank)
    chance, fewer = min(1.0, float(law.sf(above - 1))), min(1.0, float(law.cdf(above)))
    verdict: Verdict = "too many" if chance < 1 - LEVEL else "too few" if fewer < 1 - LEVEL else "fits"
    return Agreement(
        images, above, above / images, float(interval.low), float(interval.high), alpha, chance, fewer, verdict
    )
