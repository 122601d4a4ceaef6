"""The curves behind the numbers: ROC, precision–recall, PRO, each at a bounded number of points.

Every point is one that a threshold attains; of many, those are kept that lie about equally far apart along
the curve. In a stream thresholds lie between bins, where counts are known exactly, so its points are too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.groups import Groups

Values = NDArray[np.float64]


class Curve(NamedTuple):
    """Points (n,) float64 in the order of falling thresholds; `x` and `y` are fractions."""

    x: Values
    y: Values


def curves_of(groups: Groups, points: int = 512) -> dict[str, Curve]:
    """`roc` (false positive rate, recall), `pr` (recall, precision) and `pro` (false positive rate, overlap).

    ROC and PRO start at (0, 0) and end at (1, 1); PR starts at the highest anomalous score. The groups must be
    defined; no curve has more than `points` points.

    Raises:
        ValueError: fewer than two points are asked for.
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


def _corners(before: Values, after: Values) -> Values:
    """From 0 to 1, by two points a group: without its pixels and with them."""
    return np.concatenate([[0.0], np.column_stack([before, after]).reshape(-1), [1.0]])


def _thinned(x: Values, y: Values, points: int) -> Curve:
    if x.size <= points:
        return Curve(x, y)
    along = np.concatenate([[0.0], (np.abs(np.diff(x)) + np.abs(np.diff(y))).cumsum()])
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], points - 1)).clip(0, x.size - 1))
    kept = np.union1d(kept, x.size - 1)
    return Curve(x[kept], y[kept])
