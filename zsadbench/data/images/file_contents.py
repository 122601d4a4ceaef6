"""Tell what a file is by its first bytes: an image, or what else it is and how to make an image of it."""

import re
import stat
from pathlib import Path
from typing import NamedTuple

HEAD = 1024  # bytes that are looked at
BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")

EXPORT = "export it as PNG"
CONVERT = "convert it to PNG"
FRAMES = "take frames out of it and save them as PNG"
AGAIN = "the download failed, so fetch it again"


class FileContent(NamedTuple):
    """What a file is, as text after "it is", and what to do about it; `image` if it is an image that can be read."""

    name: str
    remedy: str = ""
    image: bool = False


def _image(name: str) -> FileContent:
    return FileContent(name, image=True)


SIGNATURES = (  # the first that matches the beginning of a file applies
    (rb"\x89PNG\r\n\x1a\n", _image("a PNG")),
    (rb"\xff\xd8\xff", _image("a JPEG")),
    (rb"GIF8[79]a", _image("a GIF")),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", _image("a TIFF")),
    (rb"RIFF....WEBP", _image("a WebP")),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", _image("a JPEG 2000")),
    (rb"BM....\0\0\0\0", _image("a BMP")),
    (rb"P[1-6]\s+(#|\d)", _image("a PNM")),
    (rb".{128}DICM", _image("DICOM")),
    (rb"%!PS|\xc5\xd0\xd3\xc6", FileContent("a PostScript drawing", EXPORT)),
    (rb"%PDF", FileContent("a PDF document", EXPORT)),
    (rb"\s*(<\?xml.*?)?<svg|\s*(<\?xml.*?)?<!DOCTYPE svg", FileContent("an SVG drawing", EXPORT)),
    (rb"....ftyp(heic|heix|hevc|mif1|msf1)", FileContent("a HEIC photograph", CONVERT)),
    (rb"....ftypavi[fs]", FileContent("an AVIF image", CONVERT)),
    (rb"....ftyp", FileContent("a video (MP4 or QuickTime)", FRAMES)),
    (rb"RIFF....AVI ", FileContent("a video (AVI)", FRAMES)),
    (rb"\x1aE\xdf\xa3", FileContent("a video (Matroska or WebM)", FRAMES)),
    (rb"\0\0\x01[\xb3\xba]", FileContent("a video (MPEG)", FRAMES)),
    (rb"\x30\x26\xb2\x75", FileContent("a video (Windows Media)", FRAMES)),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", FileContent("a Windows metafile", EXPORT)),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", FileContent("a JPEG XL image", CONVERT)),
    (rb"8BPS", FileContent("a Photoshop document", EXPORT)),
    (rb"\x76\x2f\x31\x01", FileContent("an OpenEXR image", "scale its floats to 16 bits and save them as PNG")),
    (rb"#\?RADIANCE", FileContent("a Radiance image", "scale its floats to 16 bits and save them as PNG")),
    (rb"\x93NUMPY", FileContent("a NumPy array", "save it as PNG")),
    (rb"\x89HDF", FileContent("an HDF5 file", "save its images as PNG")),
    (rb"version https://git-lfs", FileContent("a Git LFS pointer", "fetch the file itself: git lfs pull")),
    (rb"\s*(<!doctype html|<html)", FileContent("a web page", AGAIN)),
    (rb"\x1f\x8b|PK\x03\x04|7z\xbc\xaf|Rar!", FileContent("an archive", "unpack it")),
)
_COMPILED = tuple((re.compile(expression, re.DOTALL | re.IGNORECASE), content) for expression, content in SIGNATURES)


NO_FILE = FileContent("a pipe, a socket or a device, not a file", "remove it")


def is_regular(path: str | Path) -> bool:
    """Whether a path is a regular file; reading a pipe would wait for its other end.

    Raises:
        OSError: there is none.
    """
    return stat.S_ISREG(Path(path).stat().st_mode)


def file_content(path: str | Path) -> FileContent:
    """What a file is by its first bytes.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     _ = file.write(b"%!PS-Adobe-3.0 EPSF-3.0") and file.flush()
    ...     file_content(file.name).name
    'a PostScript drawing'

    Raises:
        OSError: the file cannot be read.
    """
    if not is_regular(path):
        return NO_FILE
    with Path(path).open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return FileContent("an empty file", AGAIN)
    for mark in BOMS:
        head = head.removeprefix(mark)
    known = (content for expression, content in _COMPILED if expression.match(head))
    return next(known, FileContent("no image of a known format"))
