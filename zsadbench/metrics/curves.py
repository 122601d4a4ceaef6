"""ROC, precision–recall and PRO curves, each at a bounded number of points.

Every point is attained by a threshold. Of many points, those are kept that lie about equally far apart along the curve.
In a stream, thresholds lie between bins, where counts are exact, so the points are exact, too.
"""

from typing import NamedTuple

import numpy as np

from zsadbench.metrics.counting.arrays import Float64s
from zsadbench.metrics.counting.groups import Groups


class Curve(NamedTuple):
    """Points (n,) float64 in the order of falling thresholds; `x` and `y` are fractions."""

    x: Float64s
    y: Float64s


def curves_of(groups: Groups, points: int = 512) -> dict[str, Curve]:
    """Return `roc` (false positive rate, recall), `pr` (recall, precision), `pro` (false positive rate, overlap).

    ROC and PRO start at (0, 0) and end at (1, 1); PR starts at the highest anomalous score. The groups must be defined;
    no curve has more than `points` points.

    Raises:
        ValueError: `points` is less than 2.
    """
    if points < 2:
        raise ValueError(f"a curve has at least 2 points, not {points}")
    counts = groups.counts
    above, flagged = counts.greater[::-1], (counts.greater + counts.equal)[::-1]
    recall = counts.anomalous[::-1].cumsum() / counts.anomalies
    overlap = np.minimum(groups.weight[::-1].cumsum() / groups.weight.sum(), 1.0)
    fpr = _corners(above / counts.normals, flagged / counts.normals)
    precision = recall * counts.anomalies / (recall * counts.anomalies + flagged)
    return {
        "roc": _thinned(fpr, _corners(np.append(0.0, recall[:-1]), recall), points),
        "pr": _thinned(recall, precision, points),
        "pro": _thinned(fpr, _corners(np.append(0.0, overlap[:-1]), overlap), points),
    }


def _corners(before: Float64s, after: Float64s) -> Float64s:
    """Return coordinates from 0 to 1 with two points per group: without its pixels and with them."""
    return np.concatenate([[0.0], np.column_stack([before, after]).reshape(-1), [1.0]])


def _thinned(x: Float64s, y: Float64s, points: int) -> Curve:
    if x.size <= points:
        return Curve(x, y)
    length = np.concatenate([[0.0], (np.abs(np.diff(x)) + np.abs(np.diff(y))).cumsum()])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points - 1)).clip(0, x.size - 1))
    kept = np.union1d(kept, x.size - 1)
    return Curve(x[kept], y[kept])
