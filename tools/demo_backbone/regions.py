"""Regions of an image: square boxes of patches, with or without a defect or a mark."""

from __future__ import annotations

from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from demo_backbone.pictures import PATCH, Picture

SIDES = (2, 3, 4, 6)  # of a box, in patches
MIN_PIXELS = 6  # least pixels of a defect or mark in a box that counts as having it
SHARE = 0.03  # least fraction of the box that they cover


class Shows(NamedTuple):
    """What a region shows: a defect, a mark, the object itself."""

    flawed: bool
    marked: bool
    thing: bool


class Region(NamedTuple):
    """A box of patches, its position and side, and what it shows."""

    top: int
    left: int
    side: int
    shows: Shows


def choose(picture: Picture, count: int, rng: np.random.Generator) -> list[Region]:
    """Choose `count` boxes of random sides: half of them on a defect, a quarter on a mark, where there is one."""
    chosen = []
    for wish in islice(cycle(("defect", "neither", "defect", "mark")), count):
        side = SIDES[rng.integers(len(SIDES))]
        defect, mark, body = (_sums(values, side) for values in (picture.defect, picture.mark, picture.body))
        area = side * side * PATCH * PATCH
        least = max(MIN_PIXELS, SHARE * area)
        flawed, marked = defect >= least, mark >= least
        wanted = {"defect": flawed, "mark": marked & (flawed | (defect == 0)), "neither": defect == 0}[wish]
        corners = np.argwhere(wanted if wanted.any() else defect == 0)
        if len(corners):
            top, left = map(int, corners[rng.integers(len(corners))])
            shows = Shows(bool(flawed[top, left]), bool(marked[top, left]), bool(body[top, left] * 5 > area))
            chosen.append(Region(top, left, side, shows))
    return chosen


def weights(region: Region, grid: int) -> NDArray[np.float32]:
    """The weights of the patches in the mean over the box, (grid²,)."""
    box = np.zeros((grid, grid), np.float32)
    box[region.top : region.top + region.side, region.left : region.left + region.side] = 1 / region.side**2
    return box.ravel()


def _sums(values: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    return sliding_window_view(values, (side, side)).sum(axis=(2, 3))
