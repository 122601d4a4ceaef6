"""Compiled: the scores of one image counted in cells, and cells added up. Import it only where it is called.

A cell is named by the upper bits of a key, as the bins of a stream are.
"""

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.compiled import compiled
from zsadbench.metrics.counting.keys_kernel import Runs, Words, key_of
from zsadbench.metrics.counting.stream_kernel import WHOLE

ONE = np.uint64(1)

Numbers = NDArray[np.int64]
Sums = NDArray[np.uint64]
Regions = tuple[Runs, Numbers]  # the runs of an image, and the areas of its regions
Row = tuple[Words, Words, Words, NDArray[np.float64]]


@compiled
def count_normal(bits: Words, runs: Runs, shift: np.uint64, first: np.uint64, last: np.uint64) -> tuple[Words, Words]:
    """The cells from `first` to `last` that hold a score between the runs, ascending, and how many each holds."""
    table = np.zeros(int(last - first + ONE), np.uint32)
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        for place in range(start, stop):
            table[(np.uint64(key_of(bits[place])) >> shift) - first] += np.uint32(1)
        if run < len(runs):
            start = np.uint64(runs[run, 1])
    names, numbers = np.empty(len(table), np.uint32), np.empty(len(table), np.uint32)
    used = 0
    for cell in range(len(table)):
        if table[cell]:
            names[used], numbers[used] = np.uint32(first) + np.uint32(cell), table[cell]
            used += 1
    return names[:used].copy(), numbers[:used].copy()


@compiled
def add_normal(cells: Words, numbers: Words, first: np.uint64, sums: Sums) -> None:
    """Add the numbers to those of their cells; `sums` (4, cells) start with the cell `first`."""
    normal = sums[0]
    for place in range(len(cells)):
        normal[np.uint64(cells[place]) - first] += np.uint64(numbers[place])


@compiled
def add_anomalous(
    bits: Words, regions: Regions, chosen: NDArray[np.bool_], shift: np.uint64, table: tuple[np.uint64, Sums]
) -> None:
    """Count the scores in the runs of the chosen regions, and sum their weights.

    `table` is what `add_normal` calls `first` and `sums`.
    """
    (runs, areas), (first, sums) = regions, table
    numbers, low, high = sums[1], sums[2], sums[3]
    for run in range(len(runs)):
        if not chosen[runs[run, 2]]:
            continue
        weight = WHOLE // np.uint64(areas[runs[run, 2]])
        for place in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = (np.uint64(key_of(bits[place])) >> shift) - first
            numbers[cell] += ONE
            low[cell] += weight
            high[cell] += ONE if low[cell] < weight else np.uint64(0)


@compiled
def count_at(bits: Words, runs: Runs, regions: int, key: np.uint32) -> tuple[int, Numbers]:
    """How many normal scores have one key, and how many of each region."""
    found = np.zeros(regions, np.int64)
    normal = start = 0
    for run in range(len(runs) + 1):
        stop = runs[run, 0] if run < len(runs) else len(bits)
        for place in range(np.uint64(start), np.uint64(stop)):
            normal += key_of(bits[place]) == key
        if run < len(runs):
            start = runs[run, 1]
            for place in range(np.uint64(stop), np.uint64(start)):
                found[runs[run, 2]] += key_of(bits[place]) == key
    return normal, found


@compiled
def coarsened(counted: tuple[Words, Words], bits: Words, regions: Regions, by: np.uint64, shift: np.uint64) -> Row:
    """An image in coarser cells: those that hold a pixel, its normal and anomalous ones, and what the latter weigh.

    `counted` are cells and numbers of normal pixels; these cells lose `by` bits, keys of anomalous pixels `shift`.
    """
    (cells, numbers), (runs, areas) = counted, regions
    first, last = _span(cells, bits, runs, by, shift)
    size = int(last) - int(first) + 1 if last >= first else 0
    normal, anomalous, weight = np.zeros(size, np.uint32), np.zeros(size, np.uint32), np.zeros(size, np.float64)
    for place in range(len(cells)):
        normal[(np.uint64(cells[place]) >> by) - first] += numbers[place]
    for run in range(len(runs)):
        share = 1 / areas[runs[run, 2]]
        for place in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = (np.uint64(key_of(bits[place])) >> shift) - first
            anomalous[cell] += np.uint32(1)
            weight[cell] += share
    used = np.flatnonzero((normal > 0) | (anomalous > 0))
    return (used + np.int64(first)).astype(np.uint32), normal[used], anomalous[used], weight[used]


@compiled
def _span(cells: Words, bits: Words, runs: Runs, by: np.uint64, shift: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The first and the last coarser cell."""
    first, last = np.uint64(1), np.uint64(0)
    if len(cells):
        first, last = np.uint64(cells[0]) >> by, np.uint64(cells[-1]) >> by
    for run in range(len(runs)):
        for place in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = np.uint64(key_of(bits[place])) >> shift
            if first > last:
                first, last = cell, cell
            first, last = min(first, cell), max(last, cell)
    return first, last
