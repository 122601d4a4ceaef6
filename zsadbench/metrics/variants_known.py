"""Check the variants on five detectors whose values are known from the definitions.

    constant    every pixel has the same score
    random      scores that are independent of the masks
    inverted    0 where the mask is 1, and 1 where it is 0
    perfect     every anomalous pixel scores 1; normal ones are spread over [0, 0.5)
    mask copy   the mask itself

With prevalence p (anomalous pixels over all pixels), the definitions give:

| | constant | random | inverted | perfect | mask copy |
| --- | --- | --- | --- | --- | --- |
| AUPRO at limit L | L / 2 | near L / 2 | 0 | 1 | 1 |
| its 200-threshold variants | none | near L / 2 | none | 1 | none |
| AP | p | near p | p | 1 | 1 |
| AP by trapezoids | (1 + p) / 2 | near p | p / 2 | 1 | 1 |
| F1 | 2p / (1 + p) | near it | 2p / (1 + p) | 1 | 1 |
| F1 on a grid | none | near F1 | 0 | 1 | 1 |

None (undefined): equal scores have no range for thresholds. With two levels of scores, no threshold lies below the
limit, or all of them have the rate 0, and nothing can be stretched. The masks are generated here, always the same.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Bools
from zsadbench.metrics.names import parse_metric
from zsadbench.metrics.variants import NAMES, VariantMetrics

DETECTORS = ("constant", "random", "inverted", "perfect", "mask copy")
EXACT, NEAR = 1e-9, 0.2  # tolerance of a known value: absolute; relative for random scores
SIDE, NORMAL, ANOMALOUS = 96, 4, 12  # pixels; images


class KnownValue(NamedTuple):
    """One variant of one detector: expected and computed value, None for undefined, and whether they agree."""

    detector: str
    variant: str
    expected: float | None
    found: float | None
    passed: bool


def known_values() -> list[KnownValue]:
    """Run the five detectors and compare every variant with its expected value."""
    masks = generated_masks()
    prevalence = float(masks.mean())
    values = []
    for detector in DETECTORS:
        metrics = VariantMetrics()
        metrics.update(maps_of(detector, masks), masks)
        computed = metrics.compute().values
        for variant in NAMES:
            expected, value = expected_of(detector, variant, prevalence), computed[variant].value
            passed = expected is value
            if expected is not None and value is not None:
                passed = abs(expected - value) <= (NEAR * expected if detector == "random" else EXACT)
            values.append(KnownValue(detector, variant, expected, value, passed))
    return values


def generated_masks() -> Bools:
    """Return sixteen masks (16, 96, 96), four of them without an anomaly; some regions touch by a corner alone."""
    rng = np.random.default_rng(0)
    masks = np.zeros((NORMAL + ANOMALOUS, SIDE, SIDE), np.bool_)
    for mask in masks[NORMAL:]:
        for _ in range(3):
            (top, left), (height, width) = rng.integers(0, SIDE - 32, 2), rng.integers(4, 16, 2)
            mask[top : top + height, left : left + width] = True
            mask[top + height : top + height + 4, left + width : left + width + 4] = True
    return masks


def maps_of(detector: str, masks: Bools) -> NDArray[np.float32]:
    """Return the maps (n, height, width) of a detector for masks of that shape."""
    rng = np.random.default_rng(1)
    if detector == "constant":
        return np.full(masks.shape, 0.5, np.float32)
    if detector == "random":
        return rng.random(masks.shape, np.float32)
    if detector == "inverted":
        return (~masks).astype(np.float32)
    if detector == "mask copy":
        return masks.astype(np.float32)
    maps = np.ones(masks.shape, np.float32)
    normals = int((~masks).sum())
    maps[~masks] = rng.permutation(normals).astype(np.float32) / np.float32(2 * normals)
    return maps


def expected_of(detector: str, variant: str, prevalence: float) -> float | None:
    """Return the value of a variant for a detector, None if it is undefined."""
    on_grid = "_200" in variant or variant.endswith("_21")
    if detector == "perfect" or (detector == "mask copy" and not variant.startswith("pixel_aupro_200")):
        return 1.0
    if detector == "mask copy" or (detector == "constant" and on_grid):
        return None
    if variant.startswith("pixel_aupro"):
        return _expected_aupro(detector, variant, on_grid=on_grid)
    if variant.startswith("pixel_f1max"):
        return 0.0 if detector == "inverted" and on_grid else 2 * prevalence / (1 + prevalence)
    if variant == "pixel_ap" or detector == "random":
        return prevalence
    return (1 + prevalence) / 2 if detector == "constant" else prevalence / 2


def _expected_aupro(detector: str, variant: str, *, on_grid: bool) -> float | None:
    if detector == "inverted":
        return None if on_grid else 0.0
    limit = parse_metric(variant.replace("_4connected", "")).limit
    return None if limit is None else limit / 2
