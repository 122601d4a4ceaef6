"""ROC, PR and PRO curves of single classes, thinned to the points that a drawing needs, in thousandths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsadbench_reports.html.cells import without_empty

AXES = {"roc": ("fpr", "tpr"), "pr": ("recall", "precision"), "pro": ("fpr", "pro")}
TOLERANCES = (0.002, 0.005, 0.01, 0.02, 0.05)  # the largest distance of a drawn curve from the stored points
Points = NDArray[np.float64]


def thinned(x: Sequence[float], y: Sequence[float], tolerance: float) -> list[int]:
    """Thin a curve to the points that keep it within `tolerance` of the stored ones: `[x, y, x, y, …]`.

    Points are dropped as by D. H. Douglas and T. K. Peucker, "Algorithms for the reduction of the number of points
    required to represent a digitized line or its caricature", The Canadian Cartographer 10 (1973). Values are in
    thousandths.

    >>> thinned([0.0, 0.25, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], 0.002)
    [0, 0, 500, 1000, 1000, 1000]
    """
    points = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    kept, open_spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        away = _distances(points[first : last + 1])
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            kept.add(first + farthest)
            open_spans += [(first, first + farthest), (first + farthest, last)]
    return [round(1000 * float(value)) for index in sorted(kept) for value in points[index]]


def _distances(points: Points) -> Points:
    """The distance (points,) of each of `points` (points, 2) from the segment between the first and the last one."""
    along = points[-1] - points[0]
    length = float(along @ along)
    share = np.clip((points - points[0]) @ along / length, 0.0, 1.0) if length else np.zeros(len(points))
    away: Points = np.linalg.norm(points - points[0] - share[:, None] * along, axis=1)
    return away


def curves_of(stored: Mapping[str, Any], tolerance: float) -> dict[str, list[int]]:
    """The thinned curves of one class by name (`roc`, `pr`, `pro`); missing and empty ones are left out."""
    curves = {}
    for name, (across, up) in AXES.items():
        curve = stored.get(name) or {}
        if curve.get(across) and len(curve[across]) == len(curve.get(up, ())):
            curves[name] = thinned(curve[across], curve[up], tolerance)
    return without_empty(curves)
