"""Compiled: the keys of scores. Import it only where it is called.

A key is an unsigned integer that orders like its float32: the bits with the sign flipped, or for negative
numbers with all bits flipped; -0.0 has the key of 0.0.
"""

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.compiled import compiled

SIGN = np.uint32(0x80000000)

Words = NDArray[np.uint32]
Runs = NDArray[np.int64]


@compiled
def key_of(bits: np.uint32) -> np.uint32:
    """The key of a float32 by its bits."""
    plain = np.uint32(0) if bits == SIGN else bits
    return np.uint32(plain ^ (np.uint32(np.int32(plain) >> np.int32(31)) | SIGN))


@compiled
def scan(bits: Words) -> tuple[np.uint32, np.uint32, np.uint32]:
    """The least key, the greatest, and the bitwise or of the bits of all scores; there is at least one."""
    least, greatest, union = np.int32(0x7FFFFFFF), np.int32(-0x80000000), np.uint32(0)
    for place in range(len(bits)):
        one = np.int32(bits[place])
        ordered = np.int32(one ^ ((one >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        ordered = np.int32(0) if ordered == np.int32(-1) else ordered  # -0.0
        least, greatest, union = min(least, ordered), max(greatest, ordered), union | bits[place]
    return np.uint32(least) ^ SIGN, np.uint32(greatest) ^ SIGN, union


@compiled
def separate(bits: Words, runs: Runs, areas: NDArray[np.int64], keep: bool) -> tuple[Words, Words, NDArray[np.uint32]]:
    """The scores between the runs (none unless `keep`), those in the runs, and the areas of their regions."""
    inside = 0
    for run in range(len(runs)):
        inside += runs[run, 1] - runs[run, 0]
    outside, found = np.empty(len(bits) - inside if keep else 0, np.uint32), np.empty(inside, np.uint32)
    area = np.empty(inside, np.uint32)
    at = start = taken = 0
    for run in range(len(runs) + 1):
        stop = runs[run, 0] if run < len(runs) else len(bits)
        if keep:
            outside[at : at + stop - start] = bits[start:stop]
            at += stop - start
        if run < len(runs):
            start = runs[run, 1]
            found[taken : taken + start - stop] = bits[stop:start]
            area[taken : taken + start - stop] = areas[runs[run, 2]]
            taken += start - stop
    return outside, found, area
