import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import oriented_size, prepare_image, read_image, read_mask, resize_mask_nearest, training_mask
from zsadbench.errors import DataError
from zsadbench.tokens import CLIP_PIXELS

ORDERS = ("resize_first", "rgb_first")


def grey_of(prepared):
    """Undo the normalisation: 0..255, (3, size, size)."""
    return (prepared.transpose(1, 2, 0) * CLIP_PIXELS.deviation + CLIP_PIXELS.mean).transpose(2, 0, 1) * 255


@pytest.mark.parametrize("order", ORDERS)
def test_images_are_exactly_those_of_the_fixture(fixtures, order):
    from safetensors.numpy import load_file

    folder = fixtures / "preprocess"
    every = load_file(folder / "expected_resize_first.safetensors")
    every |= load_file(folder / f"expected_{order}.safetensors")
    for name in ("rgb", "gray", "rgba", "palette"):
        image = prepare_image(folder / f"{name}.png", 154, order)
        assert image.dtype == np.float32
        assert np.abs(image - every[f"{name}/image"]).max() <= 1e-6


def test_training_masks_are_exactly_those_of_the_fixture(fixtures):
    from safetensors.numpy import load_file

    folder = fixtures / "preprocess"
    expected = load_file(folder / "expected_resize_first.safetensors")
    for name in ("rgb", "gray", "rgba", "palette"):
        assert (training_mask(folder / f"{name}_mask.png", 154) == expected[f"{name}/mask"][0]).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, order, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new("RGB", (30, 20), "white").convert(mode).save(path)
    image = prepare_image(path, 14, order)
    assert image.shape == (3, 14, 14)
    assert image.flags.c_contiguous
    assert np.allclose(grey_of(image), 255, atol=1e-3)


def test_the_orders_differ_for_a_palette(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).quantize(16).save(tmp_path / "x.png")
    first, second = (prepare_image(tmp_path / "x.png", 14, order) for order in ORDERS)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("order", ORDERS)
def test_a_palette_with_transparency_gives_no_warning(tmp_path, order):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(tmp_path / "x.png", transparency=bytes([0, 128]))
    assert np.allclose(grey_of(prepare_image(tmp_path / "x.png", 4, order)), 255, atol=1e-3)
    assert read_mask(tmp_path / "x.png").all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("value", "eight"), [(0, 0), (257 * 90, 90), (65535, 255)])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, order, value, eight):
    Image.fromarray(np.full((10, 12), value, dtype=np.uint16)).save(tmp_path / "x.png")
    Image.fromarray(np.full((10, 12), value, dtype=np.int32)).save(tmp_path / "x.tif")
    for name in ("x.png", "x.tif"):
        assert np.allclose(grey_of(prepare_image(tmp_path / name, 6, order)), eight, atol=1e-3)


def test_an_image_is_turned_upright_and_so_is_its_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (40, 20))
    for name in ("x.jpg", "x.png"):
        image.save(tmp_path / name, exif=exif)
        assert read_image(tmp_path / name).size == oriented_size(tmp_path / name) == (20, 40)
    image.save(tmp_path / "plain.jpg")
    assert read_image(tmp_path / "plain.jpg").size == oriented_size(tmp_path / "plain.jpg") == (40, 20)


# ---- masks


def mask_of(path, values, dtype=np.uint8):
    Image.fromarray(np.array(values, dtype=dtype)).save(path)
    return path


def test_the_cards_rule_decides_what_counts(tmp_path):
    path = mask_of(tmp_path / "m.png", [[0, 1, 9, 127, 128, 255]])
    assert read_mask(path).tolist() == [[0, 1, 1, 1, 1, 1]]
    assert read_mask(path, ">= 128").tolist() == [[0, 0, 0, 0, 1, 1]]
    assert read_mask(path).dtype == np.uint8


def test_sixteen_bit_masks_keep_what_is_not_zero(tmp_path):
    path = mask_of(tmp_path / "m.png", [[0, 1, 257 * 128, 65535]], np.uint16)
    assert read_mask(path).tolist() == [[0, 1, 1, 1]]
    assert read_mask(path, ">= 128").tolist() == [[0, 0, 1, 1]]


def test_masks_with_three_channels_and_two_tones(tmp_path):
    Image.new("RGB", (3, 2), (200, 200, 200)).save(tmp_path / "m.png")
    Image.new("1", (3, 2), 1).save(tmp_path / "b.png")
    assert read_mask(tmp_path / "m.png", ">= 128").shape == (2, 3)
    assert read_mask(tmp_path / "m.png", ">= 128").all()
    assert read_mask(tmp_path / "b.png").all()


def test_nearest_invents_no_value_and_keeps_an_identity():
    mask = (np.random.default_rng(0).random((13, 13)) > 0.5).astype(np.uint8)
    assert (resize_mask_nearest(mask, 13) == mask).all()
    assert set(np.unique(resize_mask_nearest(mask, 29))) == {0, 1}


def test_nearest_takes_one_pixel_and_averages_none():
    mask = np.zeros((4, 4), dtype=np.uint8)
    mask[1, 1] = 1
    assert resize_mask_nearest(mask, 2).tolist() == [[1, 0], [0, 0]]


def test_a_scratch_vanishes_from_a_training_mask(tmp_path):
    values = np.zeros((200, 200))
    values[:, 100] = 1
    path = mask_of(tmp_path / "m.png", values)
    assert read_mask(path).any()
    assert not training_mask(path, 50).any()
    assert training_mask(path, 200).any(), "ids count as much as 255"


# ---- bad files


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def truncated(path, write_image):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path.read_bytes()[: path.stat().st_size // 2]


@pytest.mark.parametrize("extension", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize("read", [read_image, read_mask, lambda path: prepare_image(path, 8, "rgb_first")])
def test_a_broken_file_is_one_line_with_its_path(tmp_path, write_image, extension, read):
    path = tmp_path / f"x.{extension}"
    for content in (b"", b"no image", truncated(path, write_image)):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value).startswith(f"'{path}' cannot be read as an image: ")
        assert "\n" not in str(caught.value)


def test_a_png_that_breaks_off_into_nonsense_is_a_data_error(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(path)
    content = bytearray(path.read_bytes())
    second = content.index(b"IDAT", content.index(b"IDAT") + 4)
    content[second : second + 4] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x.png' cannot be read as an image: broken PNG file"):
        read_image(path)


def test_missing_files_folders_and_bombs_are_data_errors(tmp_path):
    with pytest.raises(DataError, match=r"none.png' is missing"):
        read_image(tmp_path / "none.png")
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_image(tmp_path)
    (tmp_path / "bomb.png").write_bytes(huge_png())
    for read in (read_image, read_mask, oriented_size):
        with pytest.raises(DataError, match=r"bomb.png' is not read: it has 3,600,000,000 pixels"):
            read(tmp_path / "bomb.png")
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"float.tif' cannot be read as an image: its pixels are of mode F"):
        read_image(tmp_path / "float.tif")
