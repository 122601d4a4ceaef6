"""What a map does on one image, and which of the papers' patterns of failure it may be; candidates, found by rule.

Rules compare with the levels of the run (`failures_levels`): `rare` is exceeded by 1 % of normal pixels, `red` is the
level of a typical defect.

- glow on a normal image: at least 1 % of the pixels of a normal image reach red.
- diffuse map: at least 10 % of the pixels outside the mask of an anomalous image exceed rare.
- missed small defect: a region of the mask of at most 1 % of the image has less than a tenth of its pixels above rare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.failures.colour_scale import Levels
from zsadbench.compare.failures.runs import Map
from zsadbench.metrics import label_regions

GLOW, DIFFUSE, MISSED = "glow on a normal image", "diffuse map", "missed small defect"
GLOWING, SPREAD, SMALL, FOUND = 0.01, 0.10, 0.01, 0.10

RULES = {
    GLOW: f"at least {GLOWING:.0%} of the pixels of a normal image reach red, the level of a typical defect",
    DIFFUSE: f"at least {SPREAD:.0%} of the pixels outside the mask of an anomalous image are above the level that 1% "
    "of normal pixels exceed",
    MISSED: f"a region of the mask that covers at most {SMALL:.0%} of the image has less than {FOUND:.0%} of its "
    "pixels above that level",
}


@dataclass(frozen=True)
class Measures:
    """What a map does on one image, as shares of pixels; each is None where it has no meaning.

    `missed`: of the defect, not above rare; `spread`: outside the mask, above rare; `glow`: of a normal image, at red.
    `tags` are the patterns.
    """

    missed: float | None = None
    spread: float | None = None
    glow: float | None = None
    tags: tuple[str, ...] = ()


def measure(scores: Map, mask: NDArray[np.bool_] | None, label: int, levels: Levels) -> Measures:
    """Measure one map; `mask` has its shape, None where it is unknown or, for a normal image, empty."""
    if label == 0:
        glow = float((scores >= levels.red).mean()) if levels.red > levels.usual else 0.0
        return Measures(glow=glow, tags=(GLOW,) if glow >= GLOWING else ())
    if mask is None or not mask.any():
        return Measures()
    above = scores > levels.rare
    missed = 1 - float(above[mask].mean())
    spread = float(above[~mask].mean()) if not mask.all() else None
    tags = (DIFFUSE,) if spread is not None and spread >= SPREAD else ()
    return Measures(missed, spread, tags=(*tags, *((MISSED,) if _misses_small(above, mask) else ())))


def _misses_small(above: NDArray[np.bool_], mask: NDArray[np.bool_]) -> bool:
    labels, count = label_regions(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    found = np.bincount(labels.ravel(), weights=above.ravel(), minlength=count + 1)[1:]
    return bool(((areas <= SMALL * mask.size) & (found < FOUND * areas)).any())
