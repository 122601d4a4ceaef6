"""Measures of a map on one image, and the patterns of failure known from papers that it may show.

Patterns are candidates, found by rules on the colour scale of the run (`colour_scale`): 1 % of normal pixels exceed
`rare`, and `red` is the value of a typical defect.

- glow on a normal image: at least 1 % of the pixels of a normal image reach red.
- diffuse map: at least 10 % of the pixels outside the mask of an anomalous image exceed rare.
- missed small defect: a region of the mask of at most 1 % of the image has less than a tenth of its pixels above rare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.failures.colour_scale import ColourScale
from zsadbench.compare.failures.runs import AnomalyMap
from zsadbench.metrics import label_regions

GLOW, DIFFUSE, MISSED = "glow on a normal image", "diffuse map", "missed small defect"
GLOWING, SPREAD, SMALL, DETECTED = 0.01, 0.10, 0.01, 0.10  # shares of pixels

RULES = {
    GLOW: f"at least {GLOWING:.0%} of the pixels of a normal image reach red, the level of a typical defect",
    DIFFUSE: f"at least {SPREAD:.0%} of the pixels outside the mask of an anomalous image are above the level that 1% "
    "of normal pixels exceed",
    MISSED: f"a region of the mask that covers at most {SMALL:.0%} of the image has less than {DETECTED:.0%} of its "
    "pixels above that level",
}


@dataclass(frozen=True)
class Measures:
    """Measures of one map, as shares of pixels in [0, 1]; each is None where it does not apply.

    Attributes:
        missed: the share of the defect that is not above `rare`.
        spread: the share of the pixels outside the mask that are above `rare`.
        glow: the share of the pixels of a normal image that reach `red`.
        tags: the patterns of failure.
    """

    missed: float | None = None
    spread: float | None = None
    glow: float | None = None
    tags: tuple[str, ...] = ()


def measure(anomaly_map: AnomalyMap, mask: NDArray[np.bool_] | None, label: int, scale: ColourScale) -> Measures:
    """Measure one map (height, width); `mask` has its shape, or is None where it is unknown or the image normal."""
    if label == 0:
        glow = float((anomaly_map >= scale.red).mean()) if scale.red > scale.usual else 0.0
        return Measures(glow=glow, tags=(GLOW,) if glow >= GLOWING else ())
    if mask is None or not mask.any():
        return Measures()
    above = anomaly_map > scale.rare
    missed = 1 - float(above[mask].mean())
    spread = float(above[~mask].mean()) if not mask.all() else None
    tags = (DIFFUSE,) if spread is not None and spread >= SPREAD else ()
    return Measures(missed, spread, tags=(*tags, *((MISSED,) if _misses_small(above, mask) else ())))


def _misses_small(above: NDArray[np.bool_], mask: NDArray[np.bool_]) -> bool:
    """Whether a small region of the mask has too few of its pixels in `above`."""
    labels, count = label_regions(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    detected = np.bincount(labels.ravel(), weights=above.ravel(), minlength=count + 1)[1:]
    return bool(((areas <= SMALL * mask.size) & (detected < DETECTED * areas)).any())
