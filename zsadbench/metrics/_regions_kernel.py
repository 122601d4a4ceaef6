"""Compiled: the runs of a mask and the regions that they form. Import it only where it is called.

Runs of one row are joined with the runs of the row above that they touch, in a forest where every run
points at an earlier run of its region (union–find). Regions are then numbered by their first run.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    try:
        kept: Callable[_P, _R] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder may be written, so every process compiles again
        kept = numba.njit(nogil=True)(function)
    return kept


@_compiled
def label_runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Runs (k, 3) of a contiguous mask, in raster order: first flat index, index after the last, region."""
    width = mask.shape[1]
    runs = _find_runs(mask)
    parent = np.arange(len(runs))
    above = row_first = row = 0
    for run in range(len(runs)):
        if runs[run, 0] // width != row:  # a new row: the runs above start where the last row started
            above, row_first, row = row_first, run, runs[run, 0] // width
        low, high = runs[run, 0] - width, runs[run, 1] - width  # this run, moved one row up
        left = low if low % width == 0 else low - 1  # a corner never reaches around the border
        while above < row_first and runs[above, 1] <= left:
            above += 1
        other = above
        while other < row_first and runs[other, 0] <= high:
            _join(parent, other, run)
            other += 1
    _number(runs, parent)
    return runs


@_compiled
def _find_runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    height, width = mask.shape
    total = 0
    for y in range(height):
        for x in range(width):
            total += mask[y, x] and (x == 0 or not mask[y, x - 1])
    runs = np.zeros((total, 3), np.int64)
    run = 0
    for y in range(height):
        for x in range(width):
            if mask[y, x] and (x == 0 or not mask[y, x - 1]):
                runs[run, 0] = y * width + x
            if mask[y, x] and (x == width - 1 or not mask[y, x + 1]):
                runs[run, 1] = y * width + x + 1
                run += 1
    return runs


@_compiled
def _root(parent: NDArray[np.int64], run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@_compiled
def _join(parent: NDArray[np.int64], one: int, other: int) -> None:
    first, second = _root(parent, one), _root(parent, other)
    parent[max(first, second)] = min(first, second)


@_compiled
def _number(runs: NDArray[np.int64], parent: NDArray[np.int64]) -> None:
    regions = 0
    for run in range(len(runs)):
        root = _root(parent, run)
        if root == run:
            runs[run, 2] = regions
            regions += 1
        else:
            runs[run, 2] = runs[root, 2]
