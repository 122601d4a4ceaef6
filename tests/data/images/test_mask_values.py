"""What a mask marks: every mode, encoding and orientation; what can be read in two ways is refused."""

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import read_mask, training_mask
from zsadbench.data.images.mask_values import AmbiguousMaskError, read_grey_mask
from zsadbench.data.images.preprocess import read_image
from zsadbench.errors import DataError

MARKS = np.zeros((24, 32), dtype=bool)
MARKS[4:12, 8:24] = True
GREY = np.where(MARKS, 255, 0).astype(np.uint8)


def black_white(mode):
    """MARKS as an image of this mode, white on black."""
    if mode == "I;16":
        return Image.fromarray(GREY.astype(np.uint16) * 257)
    picture = Image.fromarray(GREY)
    return picture.quantize(2) if mode == "P" else picture.convert(mode)


MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
ENCODINGS = ("PNG", "BMP", "TIFF", "JPEG", "WEBP", "GIF", "JPEG2000")
UNWRITABLE = {  # Pillow does not write these
    *((mode, "JPEG") for mode in ("LA", "P", "RGBA", "I;16")),
    *((mode, "BMP") for mode in ("LA", "I;16")),
    *((mode, "WEBP") for mode in ("I;16",)),
    *((mode, "GIF") for mode in ("I;16",)),
    *((mode, "JPEG2000") for mode in ("1", "P", "I;16")),
}
WRITABLE = [(mode, encoding) for mode in MODES for encoding in ENCODINGS if (mode, encoding) not in UNWRITABLE]


@pytest.mark.parametrize(("mode", "encoding"), WRITABLE)
def test_a_black_and_white_mask_is_the_same_in_every_mode_and_encoding(tmp_path, mode, encoding):
    path = tmp_path / "mask.x"
    black_white(mode).save(path, format=encoding)
    assert (read_mask(path) == MARKS).mean() > (0.98 if encoding in {"JPEG", "WEBP"} else 0.9999)


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# MARKS as a file that states an orientation must be turned, like an image of the same pixels
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("mode", "encoding"),
    [pair for pair in WRITABLE if pair[1] in {"PNG", "TIFF", "JPEG", "WEBP"} and pair[0] != "I;16"],
)
def test_a_mask_that_states_an_orientation_is_turned_like_an_image(tmp_path, mode, encoding, orientation):
    path = tmp_path / "mask.x"
    black_white(mode).save(path, format=encoding, exif=oriented(orientation))
    upright = np.asarray(read_image(path).convert("RGB").convert("L")) >= 128
    assert (read_mask(path) == upright).mean() > 0.98
    assert read_grey_mask(path).oriented


def with_opacity(mode, colour, opacity=GREY):
    picture = Image.new(mode, (32, 24), colour)
    picture.putalpha(Image.fromarray(opacity))
    return picture


def palette(colours, indices=MARKS):
    picture = Image.fromarray(indices.astype(np.uint8), "P")
    picture.putpalette([value for colour in colours for value in colour])
    return picture


@pytest.mark.parametrize("encoding", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("mode", "colour"),
    [("RGBA", (0, 0, 0, 255)), ("RGBA", (255, 255, 255, 255)), ("RGBA", (90, 20, 7, 255)), ("LA", 0), ("LA", 255)],
)
def test_opacity_is_read_where_the_colour_is_the_same_everywhere(tmp_path, mode, colour, encoding):
    exact = {"lossless": True, "exact": True} if encoding == "WEBP" else {}
    with_opacity(mode, colour).save(tmp_path / "m", format=encoding, **exact)
    assert (read_mask(tmp_path / "m") == MARKS).all()


def test_half_opacity_follows_the_rule_of_the_card(tmp_path):
    with_opacity("RGBA", (0, 0, 0, 255), np.where(MARKS, 100, 0).astype(np.uint8)).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == MARKS).all()
    assert not read_mask(tmp_path / "m.png", ">= 128").any()


def test_colours_are_read_where_opacity_marks_the_same_pixels(tmp_path):
    Image.fromarray(np.dstack([GREY // 2, GREY, GREY, GREY // 3])).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == MARKS).all()


@pytest.mark.parametrize("opacity", [0, 128, 255])
def test_an_opacity_without_two_kinds_is_no_mask(tmp_path, opacity):
    Image.fromarray(np.dstack([GREY, GREY, GREY, np.full_like(GREY, opacity)])).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == MARKS).all()


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(np.dstack([255 - GREY, 255 - GREY, 255 - GREY, GREY])),  # black marks on transparent white
        Image.fromarray(np.dstack([GREY, GREY, GREY, np.roll(GREY, 5, axis=1)])),
        Image.fromarray(np.dstack([255 - GREY, GREY])),
        palette([(255, 255, 255), (0, 0, 0)]),
    ],
    ids=["RGBA", "shifted", "LA", "P"],
)
def test_colours_and_opacity_that_mark_different_pixels_are_refused(tmp_path, picture):
    path = tmp_path / "m.png"
    picture.save(path, **({"transparency": 0} if picture.mode == "P" else {}))
    with pytest.raises(AmbiguousMaskError, match=r"m.png' marks other pixels by its colours than by its transparency"):
        read_mask(path)


@pytest.mark.parametrize("encoding", ["PNG", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize(
    "colours",
    [
        [(0, 0, 0), (1, 0, 0)],  # all but black
        [(0, 0, 0), (0, 0, 1)],
        [(0, 0, 0), (255, 255, 255)],
        [(0, 0, 0), (128, 0, 0)],  # the palette of PASCAL VOC
        [(255, 255, 255), (255, 0, 0)],  # red on white
        [(7, 7, 7), (7, 7, 7)],
    ],
)
def test_a_palette_is_read_by_its_colours_else_by_its_indices(tmp_path, colours, encoding):
    palette(colours).save(tmp_path / "m", format=encoding)
    with Image.open(tmp_path / "m") as picture:
        kept = picture.mode == "P" and (np.asarray(picture).astype(bool) == MARKS).all()
    if not kept:
        pytest.skip("the format stores no palette, or other indices")
    assert (read_mask(tmp_path / "m") == MARKS).all()


def test_a_palette_of_one_colour_is_read_by_its_indices(tmp_path):
    path = tmp_path / "m.png"
    palette([(0, 0, 0), (0, 0, 0)]).save(path)
    assert (read_mask(path) == MARKS).all()
    assert (read_mask(path, ">= 128") == MARKS).all()


def test_a_palette_shows_what_a_viewer_shows_where_white_comes_first(tmp_path):
    palette([(255, 255, 255), (0, 0, 0)], ~MARKS).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == MARKS).all()


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (0, 0, 2), (3, 3, 3)])
def test_a_pixel_that_is_not_black_is_marked(tmp_path, colour):
    Image.fromarray(MARKS[..., None] * np.array(colour, dtype=np.uint8)).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == MARKS).all()


def test_class_ids_are_marked(tmp_path):
    Image.fromarray((MARKS * np.arange(32) % 9).astype(np.uint8)).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == (MARKS * np.arange(32) % 9 > 0)).all()


# ---- lossy files

LOSSY = {
    "JPEG": {"quality": 60},
    "WEBP": {"quality": 30},
    "TIFF": {"compression": "jpeg", "quality": 50},
    "JPEG2000": {"irreversible": True, "quality_layers": [40]},
}


@pytest.mark.parametrize("rule", ["> 0", ">= 128", "> 0; jpeg >= 128"])
@pytest.mark.parametrize("encoding", LOSSY)
def test_no_rule_counts_the_grey_around_the_marks_of_a_lossy_file(tmp_path, encoding, rule):
    path = tmp_path / "m"
    marks = np.pad(MARKS.repeat(4, 0).repeat(4, 1), ((5, 0), (3, 0)))  # across the blocks of the compression
    grey = Image.fromarray(np.where(marks, 255, 0).astype(np.uint8))
    grey.convert("RGB").save(path, format=encoding, **LOSSY[encoding])
    assert (read_mask(path, "!= 0") != marks).sum() > 50, "the compression leaves grey values"
    assert (read_mask(path, rule) != marks).sum() < 10
    assert read_grey_mask(path).lossy


@pytest.mark.parametrize(
    ("encoding", "how"),
    [("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"}), ("JPEG2000", {}), ("PNG", {}), ("BMP", {})],
)
def test_a_lossless_file_counts_every_value(tmp_path, encoding, how):
    path = tmp_path / "m"
    Image.fromarray(np.where(MARKS, 3, 0).astype(np.uint8)).convert("RGB").save(path, format=encoding, **how)
    assert (read_mask(path) == MARKS).all()
    assert not read_grey_mask(path).lossy


def test_the_rule_of_publications_counts_every_value_of_a_jpeg(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "m.jpg", quality=30)
    with Image.open(tmp_path / "m.jpg") as picture:
        assert (read_mask(tmp_path / "m.jpg", "!= 0") == (np.asarray(picture) > 0)).all()
    assert training_mask(tmp_path / "m.jpg", 24).shape == (24, 24)


# ---- images that EXIF turns


def image_and_mask(tmp_path, orientation, size=(32, 24), *, mask_orientation=None, upright_mask=False):
    """An image that states an orientation, and a mask drawn on its stored pixels or on the upright image."""
    stored = MARKS[: size[1], : size[0]]
    Image.fromarray(np.where(stored, 200, 90).astype(np.uint8)).save(tmp_path / "i.png", exif=oriented(orientation))
    drawn = np.asarray(read_image(tmp_path / "i.png")) > 150 if upright_mask else stored
    exif = {} if mask_orientation is None else {"exif": oriented(mask_orientation)}
    Image.fromarray(np.where(drawn, 255, 0).astype(np.uint8)).save(tmp_path / "m.png", **exif)
    return tmp_path / "i.png", tmp_path / "m.png"


@pytest.mark.parametrize("orientation", range(5, 9))
@pytest.mark.parametrize("upright_mask", [False, True])
def test_a_mask_on_the_stored_pixels_of_an_oblong_image_is_turned_with_it(tmp_path, orientation, upright_mask):
    image, mask = image_and_mask(tmp_path, orientation, upright_mask=upright_mask)
    marked = np.asarray(read_image(image)) > 150
    assert (read_mask(mask, "> 0", image) == marked).all()


@pytest.mark.parametrize("orientation", range(1, 5))
def test_sizes_do_not_turn_a_mask_where_width_and_height_stay(tmp_path, orientation):
    image, mask = image_and_mask(tmp_path, orientation)
    assert (read_mask(mask, "> 0", image) == MARKS).all()


def test_the_orientation_that_a_mask_states_is_followed_alone(tmp_path):
    image, mask = image_and_mask(tmp_path, 6, mask_orientation=6)
    assert (read_mask(mask, "> 0", image) == (np.asarray(read_image(image)) > 150)).all()
    image, mask = image_and_mask(tmp_path, 6, mask_orientation=1)
    assert read_mask(mask, "> 0", image).shape == (24, 32), "it says that it is upright"


def test_a_broken_mask_is_an_error_with_its_path(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "m.png")
    (tmp_path / "m.png").write_bytes((tmp_path / "m.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"m.png' cannot be read as an image"):
        read_mask(tmp_path / "m.png")
