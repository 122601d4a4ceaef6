"""From kept or streamed pixels to what the metrics read: groups of pixels, and the curve at 200 thresholds."""

from typing import Any, Protocol

import numpy as np

from zsadbench.metrics._arguments import Floats
from zsadbench.metrics._groups import Groups, Places
from zsadbench.metrics.pro200 import Curve, curve_at, no_thresholds, thresholds

NOTHING = np.empty(0), np.empty(0)


class Pixels(Protocol):
    """Pixels of a class, kept or counted."""

    def extremes(self) -> tuple[np.floating[Any], np.floating[Any]] | None:
        """The least and the greatest score, None without a pixel."""
        ...

    def groups(self, cuts: Floats, threads: int) -> tuple[Groups, Places]:
        """Groups of pixels, ascending, and where the scores `cuts` lie."""
        ...


def tables_of(pixels: Pixels, threads: int) -> tuple[Groups, Curve]:
    """The groups, and the curve at the 200 thresholds between the extreme scores, or why there is none."""
    found = pixels.extremes()
    reason = "no pixel" if found is None else no_thresholds(*found)
    cuts = thresholds(*found) if found is not None and reason is None else np.empty(0, np.float32)
    groups, places = pixels.groups(cuts, threads)
    reason = groups.counts.missing("pixel") or reason
    curve = curve_at(groups, places) if reason is None else Curve(NOTHING, NOTHING, NOTHING, reason)
    return groups.anomalous_only(), curve
