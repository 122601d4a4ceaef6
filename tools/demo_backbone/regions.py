"""Regions of a picture: square boxes of patches, each with a defect in it or with none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from demo_backbone.pictures import PATCH, Picture

SIDES = (2, 3, 4, 6)  # of a box, in patches
MIN_PIXELS = 6  # pixels of a defect in a box that is said to show one
SHARE = 0.03  # and the part of the box that they must take


class Region(NamedTuple):
    """A box of patches: where it lies, and whether a defect shows in it and the thing itself does."""

    top: int
    left: int
    side: int
    flawed: bool
    thing: bool


def choose(picture: Picture, count: int, rng: np.random.Generator) -> list[Region]:
    """`count` boxes, half of them on a defect where there is one; every side is as likely."""
    chosen = []
    for number in range(count):
        side = SIDES[rng.integers(len(SIDES))]
        defect, body = _sums(picture.defect, side), _sums(picture.body, side)
        area = side * side * PATCH * PATCH
        flawed = defect >= max(MIN_PIXELS, SHARE * area)
        wanted = flawed if number % 2 == 0 and flawed.any() else defect == 0
        places = np.argwhere(wanted)
        if len(places):
            top, left = places[rng.integers(len(places))]
            chosen.append(Region(int(top), int(left), side, bool(flawed[top, left]), bool(body[top, left] * 5 > area)))
    return chosen


def weights(region: Region, grid: int) -> NDArray[np.float32]:
    """The box as weights of the mean over its patches, (grid²,)."""
    box = np.zeros((grid, grid), np.float32)
    box[region.top : region.top + region.side, region.left : region.left + region.side] = 1 / region.side**2
    return box.ravel()


def _sums(values: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    return sliding_window_view(values, (side, side)).sum(axis=(2, 3))
