"""Compiled: count the scores of one image in cells, and add cells up. Import this module only inside functions.

The upper bits of a key are the number of its cell, like the bins of a stream.
"""

import numpy as np

from zsadbench.metrics.counting.arrays import Bools, Float64s, Int64s, UInt32s, UInt64s
from zsadbench.metrics.counting.compiled import compiled
from zsadbench.metrics.counting.keys_kernel import key_of
from zsadbench.metrics.counting.stream_kernel import WHOLE

ONE = np.uint64(1)

Regions = tuple[Int64s, Int64s]  # the runs of an image, and the areas of its regions
CoarseCells = tuple[UInt32s, UInt32s, UInt32s, Float64s]


@compiled
def count_normal(
    bits: UInt32s, runs: Int64s, shift: np.uint64, first: np.uint64, last: np.uint64
) -> tuple[UInt32s, UInt32s]:
    """Return the cells from `first` to `last` that hold a score between the runs, ascending, and their counts."""
    table = np.zeros(int(last - first + ONE), np.uint32)
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        for pixel in range(start, stop):
            table[(np.uint64(key_of(bits[pixel])) >> shift) - first] += np.uint32(1)
        if run < len(runs):
            start = np.uint64(runs[run, 1])
    cells, numbers = np.empty(len(table), np.uint32), np.empty(len(table), np.uint32)
    used = 0
    for cell in range(len(table)):
        if table[cell]:
            cells[used], numbers[used] = np.uint32(first) + np.uint32(cell), table[cell]
            used += 1
    return cells[:used].copy(), numbers[:used].copy()


@compiled
def add_normal(cells: UInt32s, numbers: UInt32s, first: np.uint64, sums: UInt64s) -> None:
    """Add the counts of cells to `sums` (4, cells), whose first column is the cell `first`."""
    normal = sums[0]
    for index in range(len(cells)):
        normal[np.uint64(cells[index]) - first] += np.uint64(numbers[index])


@compiled
def add_anomalous(
    bits: UInt32s, regions: Regions, chosen: Bools, shift: np.uint64, table: tuple[np.uint64, UInt64s]
) -> None:
    """Count the scores of the chosen regions, and sum their weights; `table` is (`first`, `sums`) of `add_normal`."""
    (runs, areas), (first, sums) = regions, table
    numbers, low, high = sums[1], sums[2], sums[3]
    for run in range(len(runs)):
        if not chosen[runs[run, 2]]:
            continue
        weight = WHOLE // np.uint64(areas[runs[run, 2]])
        for pixel in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = (np.uint64(key_of(bits[pixel])) >> shift) - first
            numbers[cell] += ONE
            low[cell] += weight
            high[cell] += ONE if low[cell] < weight else np.uint64(0)


@compiled
def count_key(bits: UInt32s, runs: Int64s, regions: int, key: np.uint32) -> tuple[int, Int64s]:
    """Count the normal scores with one key, and those of each region (regions,)."""
    anomalous = np.zeros(regions, np.int64)
    normal = start = 0
    for run in range(len(runs) + 1):
        stop = runs[run, 0] if run < len(runs) else len(bits)
        for pixel in range(np.uint64(start), np.uint64(stop)):
            normal += key_of(bits[pixel]) == key
        if run < len(runs):
            start = runs[run, 1]
            for pixel in range(np.uint64(stop), np.uint64(start)):
                anomalous[runs[run, 2]] += key_of(bits[pixel]) == key
    return normal, anomalous


@compiled
def coarsen(
    counted: tuple[UInt32s, UInt32s], bits: UInt32s, regions: Regions, by: np.uint64, shift: np.uint64
) -> CoarseCells:
    """Return an image in coarser cells: those that hold a pixel, normal and anomalous numbers, anomalous weights.

    `counted` are cells and their numbers of normal pixels. These cells lose `by` bits, keys of anomalous pixels lose
    `shift` bits.
    """
    (cells, numbers), (runs, areas) = counted, regions
    first, last = _range_of(cells, bits, runs, by, shift)
    size = int(last) - int(first) + 1 if last >= first else 0
    normal, anomalous, weight = np.zeros(size, np.uint32), np.zeros(size, np.uint32), np.zeros(size, np.float64)
    for index in range(len(cells)):
        normal[(np.uint64(cells[index]) >> by) - first] += numbers[index]
    for run in range(len(runs)):
        share = 1 / areas[runs[run, 2]]
        for pixel in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = (np.uint64(key_of(bits[pixel])) >> shift) - first
            anomalous[cell] += np.uint32(1)
            weight[cell] += share
    used = np.flatnonzero((normal > 0) | (anomalous > 0))
    return (used + np.int64(first)).astype(np.uint32), normal[used], anomalous[used], weight[used]


@compiled
def _range_of(
    cells: UInt32s, bits: UInt32s, runs: Int64s, by: np.uint64, shift: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Return the first and the last coarser cell that holds a pixel; the first is greater if there is none."""
    first, last = np.uint64(1), np.uint64(0)
    if len(cells):
        first, last = np.uint64(cells[0]) >> by, np.uint64(cells[-1]) >> by
    for run in range(len(runs)):
        for pixel in range(np.uint64(runs[run, 0]), np.uint64(runs[run, 1])):
            cell = np.uint64(key_of(bits[pixel])) >> shift
            if first > last:
                first, last = cell, cell
            first, last = min(first, cell), max(last, cell)
    return first, last
