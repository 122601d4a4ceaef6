"""Regions and masks that vanish at the evaluated size are counted."""

import numpy as np
import pytest

from zsadbench.engine.encode.masks import NO_REGIONS, RULES, region_counts


def mask(*pixels, side=16, block=1):
    made = np.zeros((side, side), dtype=np.uint8)
    for row, column in pixels:
        made[row : row + block, column : column + block] = 1
    return made


def counts(native, rule, size):
    return region_counts([native], [RULES[rule](native, size)], rule)


def test_a_region_of_which_no_pixel_is_sampled_is_lost():
    # of every two pixels, the second is kept
    assert counts(mask((2, 2)), "nearest", 8) == {"regions_native": 1, "regions_lost": 1, "masks_emptied": 1}
    assert counts(mask((3, 3)), "nearest", 8) == {"regions_native": 1, "regions_lost": 0, "masks_emptied": 0}
    assert counts(mask((2, 2), (7, 7), (12, 5)), "nearest", 8) == {
        "regions_native": 3,
        "regions_lost": 2,
        "masks_emptied": 0,
    }


def test_a_neighbour_in_one_block_does_not_stand_for_a_region_that_is_lost():
    # of every block of four by four pixels, the third of the third row is kept
    assert counts(mask((0, 0), (2, 2)), "nearest", 4) == {"regions_native": 2, "regions_lost": 1, "masks_emptied": 0}


@pytest.mark.parametrize("rule", ["bilinear-half", "bicubic-half"])
def test_smooth_rules_lose_what_is_too_small_and_keep_what_is_not(rule):
    assert counts(mask((5, 5)), rule, 4) == {"regions_native": 1, "regions_lost": 1, "masks_emptied": 1}
    assert counts(mask((4, 4), block=6), rule, 4)["regions_lost"] == 0
    assert counts(mask((4, 4), block=6) | mask((0, 15)), rule, 4) == {
        "regions_native": 2,
        "regions_lost": 1,
        "masks_emptied": 0,
    }


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_lost_at_native_or_a_larger_size(rule):
    native = mask((2, 2), (7, 9), (12, 5))
    size = 16 if rule == "none" else 48
    assert counts(native, rule, size) == {"regions_native": 3, "regions_lost": 0, "masks_emptied": 0}


def test_blank_masks_lose_nothing():
    assert counts(mask(), "nearest", 8) == NO_REGIONS


def test_oblong_masks_are_counted_at_their_own_places():
    native = np.zeros((8, 32), dtype=np.uint8)
    native[1, 4] = native[6, 20] = 1  # of rows every second is kept, of columns the fifth of every eight
    small = RULES["nearest"](native, 4)
    assert np.argwhere(small).tolist() == [[0, 0]]
    assert region_counts([native], [small])["regions_lost"] == 1
