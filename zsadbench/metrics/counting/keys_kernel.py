"""Compiled: keys of float32 scores. Import this module only in the functions that call it.

A key is an unsigned integer that is ordered like its float32: the bits with the sign bit flipped, or for negative
numbers with all bits flipped; -0.0 has the key of 0.0.
"""

import numpy as np

from zsadbench.metrics.counting.arrays import Int64s, UInt32s
from zsadbench.metrics.counting.compiled import compiled

SIGN = np.uint32(0x80000000)


@compiled
def key_of(bits: np.uint32) -> np.uint32:
    """Return the key of a float32 given by its bits."""
    plain = np.uint32(0) if bits == SIGN else bits
    return np.uint32(plain ^ (np.uint32(np.int32(plain) >> np.int32(31)) | SIGN))


@compiled
def scan(bits: UInt32s) -> tuple[np.uint32, np.uint32, np.uint32]:
    """Return the least key, the greatest key, and the bitwise or of the bits of all scores; at least one is needed."""
    least, greatest, union = np.int32(0x7FFFFFFF), np.int32(-0x80000000), np.uint32(0)
    for pixel in range(len(bits)):
        signed = np.int32(bits[pixel])
        ordered = np.int32(signed ^ ((signed >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        ordered = np.int32(0) if ordered == np.int32(-1) else ordered  # -0.0
        least, greatest, union = min(least, ordered), max(greatest, ordered), union | bits[pixel]
    return np.uint32(least) ^ SIGN, np.uint32(greatest) ^ SIGN, union


@compiled
def separate(bits: UInt32s, runs: Int64s, areas: Int64s, keep_normal: bool) -> tuple[UInt32s, UInt32s, UInt32s]:
    """Return normal scores (none unless `keep_normal`), anomalous scores, and the region area of each anomalous one."""
    number = 0
    for run in range(len(runs)):
        number += runs[run, 1] - runs[run, 0]
    normal, anomalous = np.empty(len(bits) - number if keep_normal else 0, np.uint32), np.empty(number, np.uint32)
    area = np.empty(number, np.uint32)
    normals = start = anomalies = 0
    for run in range(len(runs) + 1):
        stop = runs[run, 0] if run < len(runs) else len(bits)
        if keep_normal:
            normal[normals : normals + stop - start] = bits[start:stop]
            normals += stop - start
        if run < len(runs):
            start = runs[run, 1]
            anomalous[anomalies : anomalies + start - stop] = bits[stop:start]
            area[anomalies : anomalies + start - stop] = areas[runs[run, 2]]
            anomalies += start - stop
    return normal, anomalous, area
