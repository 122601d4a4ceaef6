"""Tapped blocks in towers of other depths."""

import pytest

from zsadbench.clip import map_taps, place_taps
from zsadbench.errors import UsageError
from zsadbench.types import Taps

PAPER = (1, 6, 12, 18, 24)


def test_the_reference_depth_changes_nothing():
    assert map_taps(PAPER, 24) == PAPER
    assert map_taps(range(1, 25), 24) == tuple(range(1, 25))


@pytest.mark.parametrize(
    ("depth", "expected"),
    [(12, (1, 3, 6, 9, 12)), (32, (2, 8, 16, 24, 32)), (8, (1, 2, 4, 6, 8)), (5, (1, 2, 3, 4, 5))],
)
def test_other_depths_round_up(depth, expected):
    assert map_taps(PAPER, depth) == expected


def test_order_is_by_depth():
    assert map_taps((24, 1, 12), 12) == (1, 6, 12)


@pytest.mark.parametrize("blocks", [(0, 1), (25,), (-1,)])
def test_blocks_outside_the_tower_are_refused(blocks):
    with pytest.raises(UsageError, match=r"lie outside 1\.\.24; blocks count from 1"):
        map_taps(blocks, 24)


@pytest.mark.parametrize(("blocks", "depth"), [((1, 2), 12), (PAPER, 4), ((6, 6), 24)])
def test_two_taps_on_one_block_are_refused(blocks, depth):
    with pytest.raises(UsageError, match=rf"a tower of {depth} blocks is too shallow for taps"):
        map_taps(blocks, depth)


def test_both_paths_are_placed():
    taps = Taps((24,), value_blocks=(6, 24), value_from=6)
    assert place_taps(taps, 24) == ((24,), (6, 24), 6)
    assert place_taps(taps, 12) == ((12,), (3, 12), 3)
    assert place_taps(taps, 12).last == 12
    assert place_taps(Taps((2,), value_blocks=(8,)), 24).last == 8


def test_what_cannot_be_placed_is_refused():
    with pytest.raises(UsageError, match="no block is tapped"):
        place_taps(Taps(), 24)
    with pytest.raises(UsageError, match=r"the value-value path begins at block 6; it cannot be read after \[5\]"):
        place_taps(Taps(value_blocks=(5, 6)), 24)
    with pytest.raises(UsageError, match=r"\[0\] lie outside 1\.\.24"):
        place_taps(Taps(value_blocks=(5, 6), value_from=0), 24)
