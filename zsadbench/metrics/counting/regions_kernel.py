"""Compiled: the runs of a mask and the regions that they form. Import it only where it is called.

Runs of one row are joined with the runs of the row above that they touch, in a forest where every run
points at an earlier run of its region (union–find). Regions are then numbered by their first run.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.compiled import compiled

BLOCK = np.uint64(64)  # pixels that are looked at together
ONE = np.uint64(1)


@compiled
def label_runs(mask: NDArray[np.uint8], corners: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs (k, 3) of a contiguous mask in raster order, and the area of every region.

    A run is its first flat index, the index after its last, and its region from 0. Regions touch by edges,
    and by `corners` where asked for. The mask holds 0 and one other value, 1 or 255; where it does not,
    there is a single run of length 0.
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
            _join(parent, other, run)
            other += 1
    return runs, _number(runs, parent)


@compiled
def _find_runs(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
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
def _end_of(row: NDArray[np.uint8], start: int, value: np.uint8) -> int:
    """The first place from `start` on that does not hold `value`."""
    x, width = np.uint64(start), np.uint64(len(row))  # unsigned: a negative index would be looked out for
    while x + BLOCK <= width:
        other = np.uint8(0)
        for place in range(x, x + BLOCK):
            other |= row[place] ^ value
        if other:
            break
        x += BLOCK
    while x < width and row[x] == value:
        x += ONE
    return int(x)


@compiled
def _root(parent: NDArray[np.int64], run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def _join(parent: NDArray[np.int64], one: int, other: int) -> None:
    first, second = _root(parent, one), _root(parent, other)
    parent[max(first, second)] = min(first, second)


@compiled
def _number(runs: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the regions of the runs in place; returns their areas."""
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
def by_region(scores: NDArray[np.floating[Any]], runs: NDArray[np.int64], areas: NDArray[np.int64]) -> Any:
    """The scores of anomalous pixels, those of each region together, regions in order."""
    found = np.empty(areas.sum(), scores.dtype)
    at = np.zeros(len(areas), np.int64)
    at[1:] = areas.cumsum()[:-1]
    for run in range(len(runs)):
        region, length = runs[run, 2], runs[run, 1] - runs[run, 0]
        found[at[region] : at[region] + length] = scores[runs[run, 0] : runs[run, 1]]
        at[region] += length
    return found


@compiled
def border_distances(runs: NDArray[np.int64], regions: int, width: int, height: int) -> NDArray[np.int64]:
    """How many pixels lie between each region and the nearest border, (regions,); 0 where it touches."""
    found = np.full(regions, width + height)
    for run in range(len(runs)):
        row = runs[run, 0] // width
        left, right = runs[run, 0] - row * width, (row + 1) * width - runs[run, 1]
        found[runs[run, 2]] = min(found[runs[run, 2]], row, height - 1 - row, left, right)
    return found
