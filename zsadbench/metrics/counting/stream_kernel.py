"""Compiled: scores counted by the upper bits of their keys. Import it only where it is called.

The upper bits of a key name a bin, and bins are kept in pages that exist once they are needed:
`directory[page]` is the place of its first bin in the tables, and a page without one lies at place 0,
where nothing may be counted. Weights of anomalous pixels are multiples of 2⁻⁶³, summed in 128 bits: a
low and a high word.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.compiled import compiled
from zsadbench.metrics.counting.keys_kernel import Runs, Words, key_of

PAGE_BITS = np.uint64(10)
PAGE = 1 << 10  # bins
IN_PAGE = np.uint64(PAGE - 1)
ONE = np.uint64(1)
WHOLE = np.uint64(1 << 63)  # the weight of a region

Directory = NDArray[np.uint32]
Flags = NDArray[np.bool_]


class Sums(NamedTuple):
    """The tables of anomalous scores: their numbers, and the low and high words of their weights."""

    directory: Directory
    numbers: Words
    low: NDArray[np.uint64]
    high: NDArray[np.uint64]


@compiled
def mark_pages(bits: Words, runs: Runs, inside: bool, shift: np.uint64, needed: Flags) -> None:
    """Flag the pages of the scores in the runs, or of those between them."""
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        after = np.uint64(runs[run, 1]) if run < len(runs) else stop
        first, last = (stop, after) if inside else (start, stop)
        for place in range(first, last):
            needed[(np.uint64(key_of(bits[place])) >> shift) >> PAGE_BITS] = True
        start = after


@compiled
def count_normal(bits: Words, runs: Runs, shift: np.uint64, directory: Directory, table: Words) -> None:
    """Count the scores between the runs."""
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        for place in range(start, stop):
            cell = np.uint64(key_of(bits[place])) >> shift
            table[np.uint64(directory[cell >> PAGE_BITS]) + (cell & IN_PAGE)] += np.uint32(1)
        if run < len(runs):
            start = np.uint64(runs[run, 1])


@compiled
def count_anomalous(bits: Words, runs: Runs, areas: NDArray[np.int64], shift: np.uint64, into: Sums) -> None:
    """Count the scores in the runs, and sum their weights."""
    for run in range(len(runs)):
        weight = WHOLE // np.uint64(areas[runs[run, 2]])
        for place in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = np.uint64(key_of(bits[place])) >> shift
            at = np.uint64(into.directory[cell >> PAGE_BITS]) + (cell & IN_PAGE)
            into.numbers[at] += np.uint32(1)
            into.low[at] += weight
            into.high[at] += ONE if into.low[at] < weight else np.uint64(0)


@compiled
def count_key(
    bits: Words, runs: Runs, areas: NDArray[np.int64], key: np.uint32
) -> tuple[int, int, np.uint64, np.uint64]:
    """Normal and anomalous scores with one key, and the low and high word of their weight."""
    normal = anomalous = start = 0
    low = high = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = runs[run, 0] if run < len(runs) else len(bits)
        for place in range(np.uint64(start), np.uint64(stop)):
            normal += key_of(bits[place]) == key
        if run < len(runs):
            weight, start = WHOLE // np.uint64(areas[runs[run, 2]]), runs[run, 1]
            for place in range(np.uint64(stop), np.uint64(start)):
                if key_of(bits[place]) == key:
                    anomalous += 1
                    low += weight
                    high += ONE if low < weight else np.uint64(0)
    return normal, anomalous, low, high
