"""Weights of pixels in AUPRO: every region weighs 1, divided evenly among its pixels.

A pixel of a region of A pixels weighs ⌊2⁶³ / A⌋ units of 2⁻⁶³. Sums are integers of 128 bits, a high and a low word,
so the order of summation cannot change a bit.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Float64s, Int64s, UInt64s

UNIT = 63  # a weight of 1 is 2 to this power
LOWER = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


class Weights(NamedTuple):
    """Sums of weights: low and high words, uint64 of one shape."""

    low: UInt64s
    high: UInt64s

    @property
    def values(self) -> Float64s:
        """The sums in units of regions, float64."""
        return self.high * 2.0 ** (64 - UNIT) + self.low * 2.0**-UNIT


def pixel_weights(area: NDArray[np.unsignedinteger]) -> UInt64s:
    """Return the weight of a pixel for each region area."""
    weights: UInt64s = np.uint64(1 << UNIT) // area.astype(np.uint64)
    return weights


def sum_groups(weights: Weights, starts: Int64s) -> Weights:
    """Sum consecutive weights by group; a group reaches from one start to the next and has fewer than 2³² weights."""
    if not starts.size:
        return Weights(np.empty(0, np.uint64), np.empty(0, np.uint64))
    lower = np.add.reduceat(weights.low & LOWER, starts)
    upper = np.add.reduceat(weights.low >> HALF, starts) + (lower >> HALF)
    high = np.add.reduceat(weights.high, starts) + (upper >> HALF)
    return Weights((upper << HALF) | (lower & LOWER), high)
