"""The strongest region of a map, in pixels of the image."""

import numpy as np
import pytest

from zsadbench.predict.regions import MOST, pooled, strongest_region


def test_the_region_around_the_peak_in_pixels_of_the_image():
    scores = np.zeros((10, 20), np.float32)
    scores[2:4, 5:8] = 0.8
    scores[3, 6] = 1.0
    scores[8, 15] = 0.9  # another region, not so high
    found = strongest_region(scores, (200, 100))
    assert found[:4] == (50, 20, 80, 40)
    assert (found.peak_x, found.peak_y) == (65, 35)
    assert found.pixels == found.box_area == 600


def test_corners_connect_and_a_level_decides():
    scores = np.zeros((6, 6), np.float32)
    scores[1, 1], scores[2, 2] = 0.6, 1.0
    assert strongest_region(scores, (6, 6))[:4] == (1, 1, 3, 3)
    assert strongest_region(scores, (6, 6), level=0.7)[:4] == (2, 2, 3, 3)
    assert strongest_region(scores, (6, 6), level=1.0) is None
    assert strongest_region(np.full((4, 4), 0.3, np.float32), (9, 9)) is None


@pytest.mark.parametrize("size", [(37, 53), (640, 480), (5, 4)])
def test_a_box_never_leaves_the_image_and_holds_the_peak(size):
    for seed in range(20):
        scores = np.random.default_rng(seed).random((13, 11)).astype(np.float32)
        found = strongest_region(scores, size)
        assert 0 <= found.x0 <= found.peak_x < found.x1 <= size[0]
        assert 0 <= found.y0 <= found.peak_y < found.y1 <= size[1]
        assert found.pixels >= 1


def test_large_maps_are_pooled_by_their_maximum():
    scores = np.zeros((3 * MOST + 1, 64), np.float32)
    scores[2000, 33] = 1
    cells, step = pooled(scores, MOST)
    assert (step, cells.shape) == (4, (769, 16))
    assert cells[500, 8] == cells.max() == 1
    found = strongest_region(scores, (64, 3 * MOST + 1))
    assert (found.peak_x, found.peak_y) == (33, 2000)
    assert found.x0 <= 33 < found.x1 <= found.x0 + 4
