"""Compiled: the runs of a mask and the regions that they form. Import this module only in functions that call it.

Each run of anomalous pixels is joined with the runs of the row above that it touches, in a forest in which every run
points to an earlier run of its region (union–find). Regions are then numbered by their first run.
"""

from typing import Any

import numpy as np

from zsadbench.metrics.counting.arrays import Floats, Int64s, UInt8s
from zsadbench.metrics.counting.compiled import compiled

BLOCK = np.uint64(64)  # pixels that are compared together
ONE = np.uint64(1)


@compiled
def label_runs(mask: UInt8s, corners: bool) -> tuple[Int64s, Int64s]:
    """Return the runs (runs, 3) of a contiguous mask in raster order, and the area of every region (regions,).

    A run is its first flat index, the index after its last, and its region, counted from 0. Pixels connect by edges,
    and if `corners` by corners, too. The mask must hold 0 and one other value, 1 or 255; for any other mask the result
    is a single run of length 0.
    """
    width = mask.shape[1]
    runs = _find_runs(mask)
    if len(runs) == 1 and runs[0, 0] == runs[0, 1]:
        return runs, np.zeros(0, np.int64)
    reach = 1 if corners else 0
    parent = np.arange(len(runs))
    above = row_first = 0
    row = np.int64(0)
    for run in range(len(runs)):
        y = runs[run, 0] // width
        if y != row:  # a new row: the runs above start where the last row started
            above, row_first, row = row_first, run, y
        left = max(runs[run, 0] - reach, y * width) - width  # this run, moved one row up, with its corners
        right = min(runs[run, 1] + reach, (y + 1) * width) - width
        while above < row_first and runs[above, 1] <= left:
            above += 1
        other = above
        while other < row_first and runs[other, 0] < right:
            first, second = _root(parent, other), _root(parent, run)
            parent[max(first, second)] = min(first, second)
            other += 1
    return runs, _number(runs, parent)


@compiled
def _find_runs(mask: UInt8s) -> Int64s:
    """Return the runs in raster order, regions not yet numbered; a single empty run if a mask value is invalid."""
    height, width = mask.shape
    runs = np.zeros((64, 3), np.int64)
    count = 0
    level = np.uint8(0)
    for y in range(height):
        row = mask[y]
        x = _end_of(row, 0, np.uint8(0))
        while x < width:
            stop = _end_of(row, x, row[x])
            known = row[x] == 1 or row[x] == 255
            if not known or (level != 0 and row[x] != level) or (stop < width and row[stop] != 0):
                return np.zeros((1, 3), np.int64)
            level = row[x]
            if count == len(runs):
                longer = np.zeros((2 * count, 3), np.int64)
                longer[:count] = runs
                runs = longer
            runs[count, 0], runs[count, 1] = y * width + x, y * width + stop
            count += 1
            x = _end_of(row, stop, np.uint8(0))
    return runs[:count].copy()


@compiled
def _end_of(row: UInt8s, start: int, value: np.uint8) -> int:
    """Return the first index from `start` on whose pixel differs from `value`."""
    x, width = np.uint64(start), np.uint64(len(row))  # unsigned: numba then omits the check for negative indices
    while x + BLOCK <= width:
        difference = np.uint8(0)
        for pixel in range(x, x + BLOCK):
            difference |= row[pixel] ^ value
        if difference:
            break
        x += BLOCK
    while x < width and row[x] == value:
        x += ONE
    return int(x)


@compiled
def _root(parent: Int64s, run: int) -> int:
    """Return the first run of the tree of a run, and shorten the path to it."""
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def _number(runs: Int64s, parent: Int64s) -> Int64s:
    """Write the region of each run into `runs`; return the areas of the regions."""
    regions = 0
    areas = np.zeros(len(runs), np.int64)
    for run in range(len(runs)):
        root = _root(parent, run)
        if root == run:
            runs[run, 2] = regions
            regions += 1
        else:
            runs[run, 2] = runs[root, 2]
        areas[runs[run, 2]] += runs[run, 1] - runs[run, 0]
    return areas[:regions].copy()


@compiled
def sort_by_region(scores: Floats, runs: Int64s, areas: Int64s) -> Any:
    """Return the scores of the anomalous pixels, (anomalous pixels,), region after region."""
    by_region = np.empty(areas.sum(), scores.dtype)
    next_index = np.zeros(len(areas), np.int64)
    next_index[1:] = areas.cumsum()[:-1]
    for run in range(len(runs)):
        region, length = runs[run, 2], runs[run, 1] - runs[run, 0]
        start = next_index[region]
        by_region[start : start + length] = scores[runs[run, 0] : runs[run, 1]]
        next_index[region] += length
    return by_region


@compiled
def border_distances(runs: Int64s, regions: int, width: int, height: int) -> Int64s:
    """Return the number of pixels between each region and the nearest border, (regions,); 0 if it touches."""
    distances = np.full(regions, width + height)
    for run in range(len(runs)):
        row = runs[run, 0] // width
        left, right = runs[run, 0] - row * width, (row + 1) * width - runs[run, 1]
        distances[runs[run, 2]] = min(distances[runs[run, 2]], row, height - 1 - row, left, right)
    return distances
