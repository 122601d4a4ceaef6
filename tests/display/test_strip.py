"""Strips of pictures: colours by the stated range, masks that keep thin defects, embedded and escaped HTML."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from zsadbench.detectors import Scores
from zsadbench.display.strip import SIDE, Row, Strip, map_row, mask_picture, small
from zsadbench.pictures import SCALES

LOW, _, HIGH = (tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5)) for colour in SCALES["heat"])


def pictures_in(html):
    found = re.findall(r"data:image/png;base64,([^\"]+)", html)
    return [Image.open(io.BytesIO(base64.b64decode(content))) for content in found]


def test_the_colours_of_a_row_go_from_the_median_of_its_maps_to_the_largest_value():
    first, second = np.zeros((12, 12)), np.zeros((12, 12))
    second[:6] = 4.0
    row = map_row("m", [first, second], [None, None])
    assert row.title == "m (dark blue 0.00 to red 4.00)"
    low, high = (np.asarray(picture) for picture in row.pictures)
    assert (low == LOW).all()
    assert tuple(high[2, 2]) == HIGH
    assert tuple(high[-3, 2]) == LOW


@pytest.mark.parametrize("value", [0.0, 7.5, -3.0])
def test_a_constant_map_is_one_colour(value):
    (picture,) = map_row("m", [np.full((5, 5), value)], [None]).pictures
    assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) == 1


def test_a_map_that_is_missing_or_not_finite_costs_no_other():
    broken = np.array([[np.nan, 1.0], [0.0, 0.0]])
    row = map_row("m", [None, broken], [None, None])
    assert row.pictures[0] is None
    assert row.pictures[1].size == (SIDE, SIDE)
    assert map_row("m", [None], [None]) == Row("m", (None,))


def test_a_map_lies_over_its_image_at_the_size_of_the_image():
    image = small(Image.new("L", (60, 30), 255))
    assert image.size == (SIDE, SIDE // 2)
    (picture,) = map_row("m", [np.eye(4)], [image]).pictures
    assert picture.size == image.size
    blended = np.asarray(picture).astype(int)
    assert np.abs(blended[:, :, 0].max() - (255 + HIGH[0]) / 2) <= 1


def test_one_pixel_of_a_large_mask_stays_visible():
    mask = np.zeros((1000, 1000), np.uint8)
    mask[500, 500] = 1
    shown = np.asarray(mask_picture(mask, Image.new("RGB", (50, 50))))
    assert (shown == 255).any(axis=2).sum() == 1


@pytest.fixture
def strip():
    grey = Image.new("RGB", (SIDE, 40), "grey")
    return Strip((Row("image", (grey, grey)), Row("<i>", (None, grey))), ("a/b<\nx", "c"), ("note &",))


def test_html_embeds_every_picture_and_escapes_every_text(strip):
    html = strip._repr_html_()
    assert [picture.size for picture in pictures_in(html)] == [(SIDE, 40)] * 3
    assert "no &lt;i&gt;" in html
    assert "a/<wbr>b&lt;\nx" in html
    assert "note &amp;" in html
    assert "<i>" not in html
    assert "http" not in html


def test_a_picture_of_the_strip_holds_all_its_pictures(strip, tmp_path):
    strip.save(tmp_path / "strip.png")
    with Image.open(tmp_path / "strip.png") as written:
        pixels = np.asarray(written)
    assert np.array_equal(pixels, np.asarray(strip.picture()))
    assert (pixels == 128).all(axis=2).sum() >= 3 * SIDE * 40


def test_scores_show_the_maps_with_the_highest_scores_first():
    maps = torch.arange(4.0).reshape(4, 1, 1).expand(4, 3, 3).half()
    scores = Scores(torch.tensor([0.1, 0.9, 0.5, 0.7]), maps)
    strip = scores.strip(number=3)
    assert strip.captions == ("1: 0.9000", "3: 0.7000", "2: 0.5000")
    assert "1 more not shown" in strip.notes[0]
    colours = [np.asarray(picture)[0, 0].tolist() for picture in strip.rows[0].pictures]
    assert colours[1] == list(HIGH)  # map 3 is the largest
    assert len(pictures_in(scores._repr_html_())) == 4
    assert "no pictures" in Scores(torch.zeros(0), torch.zeros(0, 3, 3))._repr_html_()


def test_scores_over_their_images():
    scores = Scores(torch.tensor([0.1, 0.9]), torch.rand(2, 3, 3))
    images = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime")]
    strip = scores.strip(images)
    assert [row.title.split(" (")[0] for row in strip.rows] == ["image", "anomaly map"]
    assert strip.rows[0].pictures[0].getpixel((0, 0)) == (0, 255, 0)
