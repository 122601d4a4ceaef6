"""How many defective images a threshold finds, at the false-alarm rate it was fitted for, with a bootstrap interval.

Normal and defective images are resampled with replacement, separately; each resample fits its own threshold, so the
interval covers the choice of the threshold as well. Quantiles of the resamples are its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zsadbench.thresholds.conformal import ROUNDING, conformal_threshold

DRAWS, SEED, LEVEL = 2000, 0, 0.95
AT_ONCE = 200  # resamples


@dataclass(frozen=True)
class Recall:
    """The share of defective images above a threshold, and the interval that holds it in 95 of 100 resamples.

    `value`, `low` and `high` are fractions; `defective` is the number of images, `alpha` the false-alarm rate
    (overkill).
    """

    alpha: float
    value: float
    low: float
    high: float
    defective: int


def recall_of(normal: Sequence[float], defective: Sequence[float], alpha: float) -> Recall:
    """Return the recall at the conformal threshold of a false-alarm rate.

    Args:
        normal: scores of normal images.
        defective: scores of defective images, at least one.
        alpha: the false-alarm rate.

    Raises:
        UsageError, DataError: as `conformal_threshold`.
    """
    import numpy as np

    fitted = conformal_threshold(normal, alpha)
    normals, defects = np.asarray(normal, np.float64), np.asarray(defective, np.float64)
    generator = np.random.default_rng(SEED)
    recalls: list[float] = []
    for start in range(0, DRAWS, AT_ONCE):
        size = min(AT_ONCE, DRAWS - start)
        drawn = np.sort(normals[generator.integers(normals.size, size=(size, normals.size))], axis=1)
        limits = _limit(drawn[:, [fitted.rank - 1]])
        found = defects[generator.integers(defects.size, size=(size, defects.size))] > limits
        recalls += found.mean(axis=1).tolist()
    low, high = np.quantile(recalls, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float((defects > _limit(np.float64(fitted.threshold))).mean())
    return Recall(alpha, value, float(low), float(high), int(defects.size))


def _limit(thresholds: Any) -> Any:
    """Return what values must exceed to be above thresholds, as `is_above` says."""
    return thresholds + ROUNDING * abs(thresholds)
