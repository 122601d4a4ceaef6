"""What a region weighs: one in all, its pixels evenly, summed in integers so that no order changes a bit.

A pixel of a region of A pixels weighs ⌊2⁶³ / A⌋ units. Sums are 128 bits, held as a high and a low word.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNIT = 63  # a weight of 1 is 2 to this
LOWER = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

Words = NDArray[np.uint64]


class Weights(NamedTuple):
    """Sums of weights, uint64 words of one shape."""

    low: Words
    high: Words

    @property
    def values(self) -> NDArray[np.float64]:
        """The sums as regions, float64."""
        return self.high * 2.0 ** (64 - UNIT) + self.low * 2.0**-UNIT


def pixel_weights(area: NDArray[np.unsignedinteger]) -> Words:
    """The weight of a pixel, by the area of its region."""
    weights: Words = np.uint64(1 << UNIT) // area.astype(np.uint64)
    return weights


def summed(weights: Weights, starts: NDArray[np.int64]) -> Weights:
    """Sums of neighbours, each group from one start to the next; fewer than 2³² in a group."""
    if not starts.size:
        return Weights(np.empty(0, np.uint64), np.empty(0, np.uint64))
    lower = np.add.reduceat(weights.low & LOWER, starts)
    upper = np.add.reduceat(weights.low >> HALF, starts) + (lower >> HALF)
    high = np.add.reduceat(weights.high, starts) + (upper >> HALF)
    return Weights((upper << HALF) | (lower & LOWER), high)
