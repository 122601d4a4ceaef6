"""Compiled: count scores by the upper bits of their keys. Import this module only in the functions that call it.

The upper bits of a key are the number of its bin. Bins are kept in pages, which are created when needed:
`directory[page]` is the index of the first bin of a page in the tables; pages that do not exist have the index 0, where
nothing may be counted. Weights of anomalous pixels are multiples of 2⁻⁶³, summed in 128 bits: a low and a high word.
"""

from typing import NamedTuple

import numpy as np

from zsadbench.metrics.counting.arrays import Bools, Int64s, UInt32s, UInt64s
from zsadbench.metrics.counting.compiled import compiled
from zsadbench.metrics.counting.keys_kernel import key_of

PAGE_BITS = np.uint64(10)
PAGE = 1 << 10  # bins
IN_PAGE = np.uint64(PAGE - 1)
ONE = np.uint64(1)
WHOLE = np.uint64(1 << 63)  # the weight of a region


class AnomalousTables(NamedTuple):
    """The tables of anomalous scores: their numbers, and the low and high words of their weights."""

    directory: UInt32s
    numbers: UInt32s
    low: UInt64s
    high: UInt64s


@compiled
def mark_pages(bits: UInt32s, runs: Int64s, inside: bool, shift: np.uint64, needed: Bools) -> None:
    """Flag the pages of the scores inside the runs, or of those between them."""
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        after = np.uint64(runs[run, 1]) if run < len(runs) else stop
        first, last = (stop, after) if inside else (start, stop)
        for pixel in range(first, last):
            needed[(np.uint64(key_of(bits[pixel])) >> shift) >> PAGE_BITS] = True
        start = after


@compiled
def count_normal(bits: UInt32s, runs: Int64s, shift: np.uint64, directory: UInt32s, table: UInt32s) -> None:
    """Count the scores between the runs."""
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        for pixel in range(start, stop):
            bin_ = np.uint64(key_of(bits[pixel])) >> shift
            table[np.uint64(directory[bin_ >> PAGE_BITS]) + (bin_ & IN_PAGE)] += np.uint32(1)
        if run < len(runs):
            start = np.uint64(runs[run, 1])


@compiled
def count_anomalous(bits: UInt32s, runs: Int64s, areas: Int64s, shift: np.uint64, into: AnomalousTables) -> None:
    """Count the scores inside the runs, and sum their weights."""
    for run in range(len(runs)):
        weight = WHOLE // np.uint64(areas[runs[run, 2]])
        for pixel in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            bin_ = np.uint64(key_of(bits[pixel])) >> shift
            index = np.uint64(into.directory[bin_ >> PAGE_BITS]) + (bin_ & IN_PAGE)
            into.numbers[index] += np.uint32(1)
            into.low[index] += weight
            into.high[index] += ONE if into.low[index] < weight else np.uint64(0)


@compiled
def count_key(bits: UInt32s, runs: Int64s, areas: Int64s, key: np.uint32) -> tuple[int, int, np.uint64, np.uint64]:
    """Count normal and anomalous scores with one key; also return the low and high word of the anomalous weight."""
    normal = anomalous = start = 0
    low = high = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = runs[run, 0] if run < len(runs) else len(bits)
        for pixel in range(np.uint64(start), np.uint64(stop)):
            normal += key_of(bits[pixel]) == key
        if run < len(runs):
            weight, start = WHOLE // np.uint64(areas[runs[run, 2]]), runs[run, 1]
            for pixel in range(np.uint64(stop), np.uint64(start)):
                if key_of(bits[pixel]) == key:
                    anomalous += 1
                    low += weight
                    high += ONE if low < weight else np.uint64(0)
    return normal, anomalous, low, high
