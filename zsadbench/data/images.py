"""Image files → arrays: the one place where pixels are read.

Both orders of preprocessing that publications use are here: `resize_first` resizes what is stored and then
converts to RGB (OpenCLIP's transform; FB-CLIP, AnomalyCLIP), `rgb_first` converts, then resizes (AF-CLIP, and
the protocol `strict`). They differ for palettes, transparency and two-tone images only.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.card import Positive
from zsadbench.errors import DataError
from zsadbench.types import Preprocessing

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)  # CLIP's own
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)

ORIENTATION = 0x0112
BROKEN = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # an error under -W error
)


def read_image(path: str | Path) -> Image.Image:
    """The image as stored, turned upright by its EXIF orientation; 16-bit grey is scaled to 8 bits.

    Raises:
        DataError: it is missing, truncated, no image, or implausibly large.
    """
    with _opened(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _eight_bits(image)


def prepare(image: Image.Image, size: int, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Resize (bicubic, antialiased, aspect ratio not kept) and normalise; float32 (3, size, size)."""
    if preprocessing == "rgb_first":
        image = _rgb(image)
    scaled = _rgb(image.resize((size, size), Image.Resampling.BICUBIC))
    pixels = np.asarray(scaled, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1))


def prepare_image(path: str | Path, size: int, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Read and prepare one image; float32 (3, size, size), normalised with CLIP's mean and deviation.

    Raises:
        DataError: the file cannot be read.
    """
    return prepare(read_image(path), size, preprocessing)


def read_mask(path: str | Path, positive: Positive = "> 0") -> NDArray[np.uint8]:
    """The mask at native size, uint8 (height, width) of 0 and 1: where its grey value is `positive`.

    Raises:
        DataError: the file cannot be read.
    """
    grey = _grey(path)
    return np.asarray(grey > 0 if positive == "> 0" else grey >= 128, dtype=np.uint8)


def resize_mask_nearest(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 to (size, size), nearest neighbour."""
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST), dtype=np.uint8)


def soften_mask(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 as publications do: bilinear, antialiased, cut above one half; (size, size)."""
    smooth = Image.fromarray(mask * np.uint8(255)).resize((size, size), Image.Resampling.BILINEAR)
    return (np.asarray(smooth, dtype=np.float32) / np.float32(255) > 0.5).astype(np.uint8)


def training_mask(path: str | Path, size: int) -> NDArray[np.uint8]:
    """The mask as the publications' loaders give it: every non-zero value counts, then `soften_mask`.

    Raises:
        DataError: the file cannot be read.
    """
    return soften_mask(read_mask(path), size)


def oriented_size(path: str | Path) -> tuple[int, int]:
    """(width, height) after EXIF orientation, from the header alone.

    Raises:
        DataError: the file cannot be opened as an image.
    """
    with _opened(path) as image:
        width, height = image.size
        stored = image.format != "PNG" or "exif" in image.info  # asking a PNG would decode all of it
        turned = stored and image.getexif().get(ORIENTATION, 1) in {5, 6, 7, 8}
        return (height, width) if turned else (width, height)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as failure:
        raise DataError(f"'{path}' is missing") from failure
    except BROKEN as failure:
        reason = " ".join(str(failure).split()) or type(failure).__name__
        raise DataError(f"'{path}' cannot be read as an image: {reason}") from failure


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in {"F", "LAB"}:
        raise ValueError(f"its pixels are of mode {image.mode}, for which no way to 8-bit RGB is agreed")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    wide = np.clip(np.asarray(image), 0, 65535).astype(np.uint32)
    return Image.fromarray(((wide + 128) // 257).astype(np.uint8))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    image.info.pop("transparency", None)  # it changes no colour, and Pillow warns of it
    return image.convert("RGB")


def by(width: int, height: int) -> str:
    """A size, for messages.

    >>> by(640, 480)
    '640×480'
    """
    return f"{width}×{height}"


def _grey(path: str | Path) -> NDArray[Any]:
    """Grey values, (height, width); 16-bit ones rounded up, so that what is not zero stays so."""
    with _opened(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode == "I" or image.mode.startswith("I;16"):
            return -(-np.clip(np.asarray(image, dtype=np.int64), 0, 65535) // 257)
        image.info.pop("transparency", None)
        return np.asarray(image.convert("L"))
