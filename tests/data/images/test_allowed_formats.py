"""Images are opened by their content and by a list of formats; what a file is instead is said; one image a file."""

import subprocess

import numpy as np
import pytest
from PIL import Image, ImageFile

from zsadbench.data import oriented_size, read_image, read_mask
from zsadbench.data.images.formats import FORMATS, SeveralFramesError
from zsadbench.data.images.preprocess import TRANSPOSED, read_header
from zsadbench.errors import DataError

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
OTHERS = {
    "a PostScript drawing; export it as PNG": [POSTSCRIPT, b"\xc5\xd0\xd3\xc6" + bytes(28) + POSTSCRIPT],
    "a PDF document; export it as PNG": [b"%PDF-1.4\n%%EOF\n"],
    "an SVG drawing; export it as PNG": [
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<svg width="8"/>',
    ],
    "a video (MP4 or QuickTime); take frames out of it and save them as PNG": [
        b"\0\0\0\x14ftypisom\0\0\2\0isom" + bytes(200),
        b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    ],
    "a video (AVI); take frames": [b"RIFF\x24\0\0\0AVI LIST"],
    "a video (Matroska or WebM); take frames": [b"\x1aE\xdf\xa3" + bytes(40)],
    "a video (MPEG); take frames": [b"\0\0\1\xb3" + bytes(40)],
    "a HEIC photograph; convert it to PNG": [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"],
    "an AVIF image; convert it to PNG": [b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"],
    "a Photoshop document; export it as PNG": [b"8BPS\0\1" + bytes(30)],
    "a Windows metafile; export it as PNG": [b"\xd7\xcd\xc6\x9a" + bytes(40), b"\1\0\0\0" + bytes(36) + b" EMF"],
    "a Git LFS pointer; fetch the file itself": [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"],
    "a web page; the download failed": [b"<!DOCTYPE html><html></html>", b"\n<html>"],
    "an archive; unpack it": [b"PK\x03\x04" + bytes(30), b"\x1f\x8b" + bytes(30)],
    "a NumPy array; save it as PNG": [b"\x93NUMPY\1\0" + bytes(30)],
    "an empty file; the download failed": [b""],
    "no image of a known format": [b"hello", bytes(500)],
}


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.eps", "photo", "photo.tif"])
@pytest.mark.parametrize(("words", "contents"), OTHERS.items(), ids=[words.split(";")[0] for words in OTHERS])
def test_what_is_no_image_is_refused_with_what_it_is(tmp_path, monkeypatch, name, words, contents):
    def refuse(*arguments, **_):
        pytest.fail(f"another program is started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    for content in contents:
        (tmp_path / name).write_bytes(content)
        for read in (read_image, read_mask, oriented_size):
            with pytest.raises(DataError) as caught:
                read(tmp_path / name)
            assert str(caught.value).startswith(f"'{tmp_path / name}' cannot be read as an image: it is {words}")
            assert "formats that are read: PNG, JPEG, TIFF" in str(caught.value)


@pytest.mark.parametrize(
    "encoding", sorted({*Image.OPEN, "EPS", "PSD", "ICO", "TGA", "PCX", "SGI", "IM", "QOI"} - set(FORMATS))
)
def test_a_format_outside_the_list_is_not_opened(tmp_path, encoding):
    Image.init()
    path = tmp_path / "photo.png"
    try:
        Image.new("RGB", (16, 16), (200, 10, 10)).save(path, format=encoding)
    except (KeyError, OSError, ValueError, DeprecationWarning):
        pytest.skip("Pillow does not write this format here")
    with pytest.raises(DataError, match="cannot be read as an image: it is "):
        read_image(path)


@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize("name", ["photo.png", "photo.eps", "photo"])
def test_an_image_of_every_format_is_read_whatever_its_name(tmp_path, encoding, name):
    Image.new("RGB", (16, 12), (200, 10, 10)).save(tmp_path / name, format=encoding)
    assert read_image(tmp_path / name).size == (16, 12)
    assert np.abs(np.asarray(read_image(tmp_path / name).convert("RGB"), dtype=int) - (200, 10, 10)).max() < 12


def test_a_damaged_image_is_said_to_be_one(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:12])
    with pytest.raises(DataError, match=r"it begins like a PNG and is damaged"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize(
    "raised",
    [
        RecursionError("deep"),
        AssertionError(),
        ZeroDivisionError("x"),
        AttributeError("y"),
        RuntimeError("z"),
        MemoryError(),
        KeyError("k"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        StopIteration(),
    ],
    ids=lambda raised: type(raised).__name__,
)
def test_whatever_a_decoder_raises_costs_that_image(tmp_path, monkeypatch, raised):
    Image.new("L", (9, 9)).save(tmp_path / "x.png")

    def fail(*_):
        raise raised

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=r"x.png' cannot be read as an image: "):
            read(tmp_path / "x.png")


# ---- several frames

ANIMATIONS = {
    "GIF": {"save_all": True},
    "PNG": {"save_all": True},
    "WEBP": {"save_all": True, "lossless": True},
    "TIFF": {"save_all": True},
}


def frames(number):
    return [Image.new("RGB", (16, 12), (60 * index, 255 - 60 * index, 9)) for index in range(number)]


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("encoding", ANIMATIONS)
def test_a_file_of_several_frames_is_refused_with_their_number(tmp_path, encoding, number):
    path = tmp_path / "a.x"
    first, *others = frames(number)
    first.save(path, format=encoding, append_images=others, **ANIMATIONS[encoding])
    for read in (read_image, read_mask, oriented_size):
        with pytest.raises(
            SeveralFramesError, match=rf"a.x' cannot be read as an image: it holds {number} (frames|pages); "
        ):
            read(path)


@pytest.mark.parametrize("encoding", ANIMATIONS)
def test_a_file_of_one_frame_is_read(tmp_path, encoding):
    frames(1)[0].save(tmp_path / "a.x", format=encoding, **ANIMATIONS[encoding])
    assert read_image(tmp_path / "a.x").size == (16, 12)


@pytest.mark.parametrize("name", ["phone.jpg", "phone.mpo", "phone.png"])
def test_the_first_picture_of_a_phone_is_read(tmp_path, name):
    first, other = Image.new("RGB", (16, 12), (250, 250, 250)), Image.new("RGB", (8, 6))
    first.save(tmp_path / name, format="MPO", save_all=True, append_images=[other])
    found = read_image(tmp_path / name)
    assert found.size == (16, 12)
    assert np.asarray(found).min() > 240


# ---- orientation

PIXELS = (np.arange(24 * 32).reshape(24, 32) % 251).astype(np.uint8)
UPRIGHT = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.T,
    6: np.rot90(PIXELS, -1),
    7: PIXELS[::-1, ::-1].T,
    8: np.rot90(PIXELS),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("encoding", "how"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_an_image_is_turned_once_by_what_it_states(tmp_path, encoding, how, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(tmp_path / "x", format=encoding, exif=exif, **how)
    assert (np.asarray(read_image(tmp_path / "x").convert("L")) == UPRIGHT[orientation]).all()
    header = read_header(tmp_path / "x")
    assert header == (32, 24, orientation)
    assert header.upright == oriented_size(tmp_path / "x") == UPRIGHT[orientation].shape[::-1]
    assert (orientation in TRANSPOSED) == (header.upright != header.stored)
