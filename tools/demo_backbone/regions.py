"""Regions of an image: square boxes of patches, with or without a defect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from demo_backbone.pictures import PATCH, Picture

SIDES = (2, 3, 4, 6)  # of a box, in patches
MIN_PIXELS = 6  # least pixels of a defect in a box that counts as defective
SHARE = 0.03  # least fraction of the box that they cover


class Region(NamedTuple):
    """A box of patches: its position and side, and whether it contains a defect, and the object itself."""

    top: int
    left: int
    side: int
    flawed: bool
    thing: bool


def choose(picture: Picture, count: int, rng: np.random.Generator) -> list[Region]:
    """Choose `count` boxes of random sides, half of them on a defect, if there is one."""
    chosen = []
    for number in range(count):
        side = SIDES[rng.integers(len(SIDES))]
        defect, body = _sums(picture.defect, side), _sums(picture.body, side)
        area = side * side * PATCH * PATCH
        flawed = defect >= max(MIN_PIXELS, SHARE * area)
        wanted = flawed if number % 2 == 0 and flawed.any() else defect == 0
        corners = np.argwhere(wanted)
        if len(corners):
            top, left = corners[rng.integers(len(corners))]
            chosen.append(Region(int(top), int(left), side, bool(flawed[top, left]), bool(body[top, left] * 5 > area)))
    return chosen


def weights(region: Region, grid: int) -> NDArray[np.float32]:
    """The weights of the patches in the mean over the box, (grid²,)."""
    box = np.zeros((grid, grid), np.float32)
    box[region.top : region.top + region.side, region.left : region.left + region.side] = 1 / region.side**2
    return box.ravel()


def _sums(values: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    return sliding_window_view(values, (side, side)).sum(axis=(2, 3))
