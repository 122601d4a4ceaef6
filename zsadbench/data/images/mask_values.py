"""Read the values of a mask file: what its colours, its palette or its transparency mark.

A mask distinguishes two kinds of pixels. Where its colours do, they are read: grey values 0..255, and at least 1 for a
pixel that is not black. Where they do not, an index of the palette other than 0 marks a pixel, or its opacity. A file
whose colours and opacity mark different pixels can be read in two ways and is refused.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.images.formats import open_image, values_16_bit
from zsadbench.data.images.preprocess import ORIENTATION
from zsadbench.errors import DataError

Values = NDArray[np.uint8]

LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp")
CODING_STYLE = b"\xff\x52"  # the marker of JPEG 2000 after which its wavelet is stated


class AmbiguousMaskError(DataError):
    """A mask that can be read in two ways."""


class GreyMask(NamedTuple):
    """A mask before it is made binary.

    `values` are 0..255, (height, width); `lossy` says whether the file is compressed so that values change; `oriented`
    whether the file states an orientation, by which it has been turned.
    """

    values: NDArray[Any]
    lossy: bool
    oriented: bool


def read_grey_mask(path: str | Path) -> GreyMask:
    """Read the values of a mask; 16-bit values are rounded up, so that values above 0 stay above 0.

    Raises:
        AmbiguousMaskError: colours and transparency mark different pixels.
        DataError: the file cannot be read.
    """
    with open_image(path) as image:
        oriented = ORIENTATION in image.getexif()  # before Pillow turns a TIFF
        image.load()
        lossy = _is_lossy(image, path)
        ImageOps.exif_transpose(image, in_place=True)
        values = values_16_bit(image)
        if values is not None:
            return GreyMask(-(-values // 257), lossy, oriented)
        if image.mode in {"1", "L"} and not image.has_transparency_data:
            return GreyMask(np.asarray(image.convert("L")), lossy, oriented)
        colours, opacity = _colours(image), _opacity(image)
    if opacity is None:
        return GreyMask(_grey(image, colours), lossy, oriented)
    if (colours == colours[0, 0]).all():
        return GreyMask(opacity, lossy, oriented)
    grey = _grey(image, colours)
    if ((grey > 0) != (opacity > 0)).any():
        raise AmbiguousMaskError(
            f"mask '{path}' marks other pixels by its colours than by its transparency; save it as black and white "
            "without transparency"
        )
    return GreyMask(grey, lossy, oriented)


def _colours(image: Image.Image) -> Values:
    """The colours without transparency, uint8 (height, width, 3)."""
    copy = image.copy()
    copy.info.pop("transparency", None)  # does not change colours, but Pillow warns about it
    return np.asarray((copy.convert("RGBA") if copy.mode == "PA" else copy).convert("RGB"))


def _opacity(image: Image.Image) -> Values | None:
    """The opacity, uint8 (height, width); None if it is the same everywhere."""
    if not image.has_transparency_data:
        return None
    opacity = np.asarray(image.convert("RGBA").getchannel("A"))
    return None if (opacity == opacity[0, 0]).all() else opacity


def _grey(image: Image.Image, colours: Values) -> Values:
    """The grey values of colours, at least 1 where not black; if a palette does not distinguish pixels, its indices."""
    grey = np.asarray(Image.fromarray(colours).convert("L"))
    values = np.where((grey == 0) & colours.any(axis=2), np.uint8(1), grey)
    if image.mode == "P":
        marked, indices = values > 0, np.asarray(image)
        if marked.all() == marked.any() and (indices == 0).any():
            return np.where(indices > 0, np.uint8(255), np.uint8(0))
    return values


def _is_lossy(image: Image.Image, path: str | Path) -> bool:
    """Whether the file is compressed so that values change."""
    if image.format == "TIFF":
        return image.info.get("compression") in LOSSY_TIFF
    if image.format in {"WEBP", "JPEG2000"}:
        content = Path(path).read_bytes()
        return not (_is_lossless_webp(content) if image.format == "WEBP" else _is_reversible(content))
    return image.format in {"JPEG", "MPO"}


def _is_lossless_webp(content: bytes) -> bool:
    """Whether the pixels of a WebP are in a chunk VP8L."""
    place = 12
    while place + 8 <= len(content):
        name, length = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        if name in {b"VP8L", b"VP8 "}:
            return name == b"VP8L"
        place += 8 + length + length % 2
    return False


def _is_reversible(content: bytes) -> bool:
    """Whether a JPEG 2000 uses the reversible wavelet, 5-3."""
    place = content.find(CODING_STYLE)
    return 0 <= place < len(content) - 13 and content[place + 13] == 1
