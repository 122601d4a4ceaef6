"""Tiles: where they lie, how their maps are merged, and what an image in tiles has in common with the whole."""

import numpy as np
import pytest
import torch
from PIL import Image

from zsadbench.errors import UsageError
from zsadbench.predict.tiles import Tiles, score_tiled
from zsadbench.types import Scores


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


def test_what_looks_at_each_patch_alone_sees_the_same_in_tiles():
    """Away from the edges of tiles, the map is that of the whole image at the same scale: patches of 4 pixels."""

    class Patches:
        def score_batch(self, images, word):
            grids = [np.asarray(image.convert("L").reduce(4), np.float32) / 255 for image in images]
            maps = torch.from_numpy(np.stack(grids))
            return Scores(maps.amax(dim=(1, 2)), maps)

    tiles, image = Tiles(64, 16), picture(160, 208)
    score, found = score_tiled(Patches(), image, "object", tiles, 4)
    whole = Patches().score_batch([image], "object")
    wanted = np.asarray(Image.fromarray(whole.pixel[0].numpy()).resize(image.size, Image.Resampling.BILINEAR))
    away = [np.ones(length, bool) for length in wanted.shape]  # two pixels or more from every edge inside the image
    for along in away:
        for start in tiles.starts(len(along)):
            for edge in {start, start + 64} - {0, len(along)}:
                along[edge - 2 : edge + 2] = False
    inner = np.ix_(*away)
    assert wanted[inner].size > wanted.size / 2
    assert np.abs(found - wanted)[inner].max() < 1e-6
    assert score == float(whole.image[0])


def test_a_seam_has_no_step(brightness):
    """A slope stays a slope: neighbouring pixels differ by no more than they do within one tile."""
    slope = Image.fromarray(np.tile(np.linspace(0, 255, 256).astype(np.uint8), (64, 1))).convert("RGB")
    _, found = score_tiled(brightness, slope, "object", Tiles(64, 32), 4)
    assert np.abs(np.diff(found[32])).max() < 0.01


@pytest.mark.parametrize(("side", "overlap"), [(8, 0), (64, 33), (64, -1)])
def test_tiles_that_cannot_be(side, overlap):
    with pytest.raises(UsageError):
        Tiles(side, overlap)
