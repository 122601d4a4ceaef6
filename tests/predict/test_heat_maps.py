"""Scoring in batches and drawing: order, failures, names of files, colours."""

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import UserImage, placed_images
from zsadbench.display.colour_range import ColourRange
from zsadbench.predict.drawing.map_picture import map_picture
from zsadbench.predict.drawing.png_rows import write_rows
from zsadbench.predict.heat_maps import predict_images
from zsadbench.predict.limits import Limits, read_limits
from zsadbench.predict.prediction import Prediction, ranked
from zsadbench.predict.scoring import ImageScorer
from zsadbench.predict.tiles import Tiles


@pytest.fixture
def folder(tmp_path):
    """Thirty images in two folders, one that is no image and one that the method cannot score."""
    root = tmp_path / "photos"
    for index in range(30):
        path = root / f"{index % 2}/{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (30 + index, 24), 8 * index).save(path)
    (root / "0/broken.png").write_bytes(b"no image")
    Image.new("RGB", (20, 20), (255, 0, 0)).save(root / "1/red.png")
    return root


@pytest.mark.parametrize("tiles", [None, Tiles(20, 5)])
def test_all_images_come_in_their_order_and_failures_stay_alone(brightness, folder, tmp_path, tiles):
    images = placed_images([folder])
    found = list(predict_images(ImageScorer(brightness, tiles, 4), images, tmp_path / "out"))
    assert [one.image for one in found] == [image.path for image in images]
    assert {one.image.name for one in found if one.failure} == {"broken.png", "red.png"}
    assert "holds NaN" in next(one.failure for one in found if one.image.name == "red.png")
    assert max(brightness.seen) <= 4
    for one in found:
        if not one.failure:
            assert one.score == pytest.approx(8 * int(one.image.stem) / 255, abs=1e-6)
            assert one.heat_map == tmp_path / "out/maps" / f"{one.relative}"
            with Image.open(one.heat_map) as drawn:
                assert drawn.format == "PNG"
    assert len({one.scale for one in found if one.scale}) == 1
    assert [int(one.image.stem) for one in ranked(found)] == list(range(29, -1, -1))


def test_names_never_collide_nor_leave_the_folder(brightness, tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (20, 20), 99).save(path)
    names = ("x/a.png", "x/a.jpg", "X/A.PNG", "..png", "x/..jpg", ".png/b.png")
    images = [UserImage(path, "object", name) for name in names]
    found = list(predict_images(ImageScorer(brightness), images, tmp_path / "out"))
    files = [one.heat_map.resolve() for one in found]
    assert len({str(file).casefold() for file in files}) == len(names)
    assert all(file.is_relative_to((tmp_path / "out/maps").resolve()) and file.is_file() for file in files)


def test_places_follow_the_tree_of_the_input(folder, tmp_path):
    (tmp_path / "other/photos").mkdir(parents=True)
    Image.new("L", (9, 9)).save(tmp_path / "other/photos/1.png")
    places = [image.relative for image in placed_images([folder])]
    assert "0/00.png" in places
    both = [image.relative for image in placed_images([folder, tmp_path / "other/photos"])]
    assert {"photos/0/00.png", "photos-2/1.png"} <= set(both)
    single = placed_images([folder / "0/00.png", folder / "1/01.png"])
    assert [image.relative for image in single] == ["0/00.png", "1/01.png"]
    (one,) = placed_images([folder / "0/00.png"])
    assert one.relative == "00.png"


def test_panels_have_the_resolution_of_the_image_and_bands_no_seams(monkeypatch):
    scores = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    image = Image.new("RGB", (700, 500), (120, 120, 120))
    whole = np.asarray(map_picture(image, scores, ColourRange(0.0, 1.0)))
    assert whole.shape[1] > 2 * 700
    monkeypatch.setattr("zsadbench.predict.drawing.map_picture.BAND", 7000)
    banded = np.asarray(map_picture(image, scores, ColourRange(0.0, 1.0)))
    assert np.abs(whole.astype(int) - banded).max() <= 1


def test_a_threshold_decides_above_rounding_alone():
    limits = read_limits("0.5")
    assert [limits.verdict(score) for score in (0.4, 0.5, 0.5 + 1e-8, 0.51)] == ["normal"] * 3 + ["anomalous"]
    assert Limits().verdict(1.0) == ""
    assert read_limits("1e-13").verdict(2e-13) == "anomalous"


def test_equal_scores_are_ranked_by_their_maps():
    rows = [Prediction(name, 1.0, high) for name, high in (("a", 0.1), ("b", 0.9), ("c", 0.5))]
    assert [one.image for one in ranked(rows)] == ["b", "c", "a"]


def test_a_picture_written_in_bands_is_the_picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 37, 3), dtype=np.uint8)
    write_rows(tmp_path / "a.png", (37, 100), [pixels[:1], pixels[1:60], pixels[60:]])
    with Image.open(tmp_path / "a.png") as read:
        assert np.array_equal(np.asarray(read), pixels)
    with pytest.raises(ValueError, match="rows"):
        write_rows(tmp_path / "b.png", (37, 100), [pixels[:9]])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
