"""Five detectors whose numbers are known beforehand: what a metric must give before it may judge others.

    constant    every pixel scores the same
    random      scores that have nothing to do with the masks
    inverted    0 where the mask is 1, and 1 where it is 0
    perfect     every anomalous pixel scores 1; normal ones are spread over [0, 0.5)
    mask copy   the mask as it is

With prevalence p (anomalous pixels over all), what follows from the definitions:

| | constant | random | inverted | perfect | mask copy |
| --- | --- | --- | --- | --- | --- |
| AUPRO at limit L | L / 2 | near L / 2 | 0 | 1 | 1 |
| its 200-threshold variants | none | near L / 2 | none | 1 | none |
| AP | p | near p | p | 1 | 1 |
| AP by trapezoids | (1 + p) / 2 | near p | p / 2 | 1 | 1 |
| F1 | 2p / (1 + p) | near it | 2p / (1 + p) | 1 | 1 |
| F1 on a grid | none | near F1 | 0 | 1 | 1 |

None: equal scores have no range for thresholds; of two levels, no threshold lies below the limit, or all of them
lie at the rate 0, and nothing can be stretched. The masks are drawn here, always the same ones.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import Bools
from zsadbench.metrics.names import parse_metric
from zsadbench.metrics.variants import NAMES, VariantMetrics

Maps = NDArray[np.float32]
DETECTORS = ("constant", "random", "inverted", "perfect", "mask copy")
EXACT, NEAR = 1e-9, 0.2  # how far a known value may be off; a fifth of it where scores are drawn
SIDE, NORMAL, ANOMALOUS = 96, 4, 12  # pixels; images


class Known(NamedTuple):
    """One variant of one detector: what it must be and what it is, None for undefined; whether they agree."""

    detector: str
    variant: str
    expected: float | None
    found: float | None
    passed: bool


def known_values() -> list[Known]:
    """Run the five detectors and compare every variant with what it must give."""
    masks = drawn_masks()
    prevalence = float(masks.mean())
    made = []
    for detector in DETECTORS:
        metrics = VariantMetrics()
        metrics.update(maps_of(detector, masks), masks)
        found = metrics.compute().values
        made += [_known(detector, name, expected_of(detector, name, prevalence), found[name].value) for name in NAMES]
    return made


def drawn_masks() -> Bools:
    """Sixteen masks (16, 96, 96), four of them without an anomaly; some regions touch by a corner alone."""
    draw = np.random.default_rng(0)
    masks = np.zeros((NORMAL + ANOMALOUS, SIDE, SIDE), np.bool_)
    for mask in masks[NORMAL:]:
        for _ in range(3):
            (top, left), (height, width) = draw.integers(0, SIDE - 32, 2), draw.integers(4, 16, 2)
            mask[top : top + height, left : left + width] = True
            mask[top + height : top + height + 4, left + width : left + width + 4] = True
    return masks


def maps_of(detector: str, masks: Bools) -> Maps:
    """The maps (n, height, width) that a detector gives for masks of that shape."""
    draw = np.random.default_rng(1)
    if detector == "constant":
        return np.full(masks.shape, 0.5, np.float32)
    if detector == "random":
        return draw.random(masks.shape, np.float32)
    if detector == "inverted":
        return (~masks).astype(np.float32)
    if detector == "mask copy":
        return masks.astype(np.float32)
    maps = np.ones(masks.shape, np.float32)
    normals = int((~masks).sum())
    maps[~masks] = draw.permutation(normals).astype(np.float32) / np.float32(2 * normals)
    return maps


def expected_of(detector: str, variant: str, prevalence: float) -> float | None:
    """What a variant must give for a detector, None where it is undefined."""
    on_grid = "_200" in variant or variant.endswith("_21")
    if detector == "perfect" or (detector == "mask copy" and not variant.startswith("pixel_aupro_200")):
        return 1.0
    if detector == "mask copy" or (detector == "constant" and on_grid):
        return None
    if variant.startswith("pixel_aupro"):
        return _expected_aupro(detector, variant, on_grid=on_grid)
    if variant.startswith("pixel_f1max"):
        return 0.0 if detector == "inverted" and on_grid else 2 * prevalence / (1 + prevalence)
    return _expected_ap(detector, variant, prevalence)


def _expected_aupro(detector: str, variant: str, *, on_grid: bool) -> float | None:
    if detector == "inverted":
        return None if on_grid else 0.0
    limit = parse_metric(variant.replace("_4connected", "")).limit
    return None if limit is None else limit / 2


def _expected_ap(detector: str, variant: str, prevalence: float) -> float:
    if variant == "pixel_ap" or detector == "random":
        return prevalence
    return (1 + prevalence) / 2 if detector == "constant" else prevalence / 2


def _known(detector: str, variant: str, expected: float | None, found: float | None) -> Known:
    if expected is None or found is None:
        return Known(detector, variant, expected, found, expected is found)
    allowed = NEAR * expected if detector == "random" else EXACT
    return Known(detector, variant, expected, found, abs(expected - found) <= allowed)
