"""Tiles: where they lie, how their maps are merged, and what an image in tiles has in common with the whole."""

import numpy as np
import pytest
from PIL import Image

from zsadbench.errors import UsageError
from zsadbench.predict.tiles import Tiles, score_tiled


def picture(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    return Image.fromarray(pixels).convert("RGB")


@pytest.mark.parametrize(("side", "overlap"), [(64, 0), (64, 16), (64, 32), (50, 7)])
@pytest.mark.parametrize("length", [1, 30, 64, 65, 200, 333])
def test_tiles_cover_every_pixel_and_stay_inside(side, overlap, length):
    tiles = Tiles(side, overlap)
    covered = np.zeros(length)
    for start in tiles.starts(length):
        weights = tiles.weights(start, length)
        assert start >= 0
        assert start + len(weights) <= length
        assert (weights > 0).all()
        assert (weights <= 1).all()
        covered[start : start + len(weights)] += 1
    assert covered.min() >= 1


def test_an_image_that_fits_into_one_tile_is_scored_as_a_whole(brightness):
    image = picture(48, 40)
    score, found = score_tiled(brightness, image, "object", Tiles(48, 12), 4)
    whole = brightness.score_batch([image], "object")
    assert score == float(whole.image[0])
    wanted = np.asarray(Image.fromarray(whole.pixel[0].numpy()).resize((48, 40), Image.Resampling.BILINEAR))
    assert np.array_equal(found, wanted)


def test_away_from_seams_the_value_of_the_only_tile_stands(brightness):
    """On an image of 3 × 3 tiles, a pixel that one tile alone covers has its value, up to the rounding of weights."""
    tiles, image = Tiles(64, 16), picture(160, 160)
    score, found = score_tiled(brightness, image, "object", tiles, 2)
    scores = []
    for top in tiles.starts(160):
        for left in tiles.starts(160):
            tile = brightness.score_batch([image.crop((left, top, left + 64, top + 64))], "object")
            scores.append(float(tile.image[0]))
            alone = np.asarray(Image.fromarray(tile.pixel[0].numpy()).resize((64, 64), Image.Resampling.BILINEAR))
            inner = slice(16, 48)
            assert found[top : top + 64, left : left + 64][inner, inner] == pytest.approx(alone[inner, inner], abs=1e-6)
    assert score == max(scores)
    assert max(brightness.seen) == 2


def test_a_seam_has_no_step(brightness):
    """A slope stays a slope: neighbouring pixels differ by no more than they do within one tile."""
    slope = Image.fromarray(np.tile(np.linspace(0, 255, 256).astype(np.uint8), (64, 1))).convert("RGB")
    _, found = score_tiled(brightness, slope, "object", Tiles(64, 32), 4)
    assert np.abs(np.diff(found[32])).max() < 0.01


@pytest.mark.parametrize(("side", "overlap"), [(8, 0), (64, 33), (64, -1)])
def test_tiles_that_cannot_be(side, overlap):
    with pytest.raises(UsageError):
        Tiles(side, overlap)
