"""Open image files of all supported formats as Pillow images.

Pillow reads the common formats, including TIFF in grey, colour, palette and CMYK, with 8 and 16 bits, in strips,
tiles or planes. Other TIFF readers also read floating-point and 32-bit values, but there is no agreed conversion of
these to 8 bits. DICOM is read by `zsadbench.data.images.dicom`.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zsadbench.data.images.dicom import EXTENSIONS, is_dicom, read_dicom
from zsadbench.errors import DataError

SUBFILE, PHOTOMETRIC = 254, 262  # tags of TIFF
REDUCED_OR_MASK = 1 | 4  # flags of a page that is a smaller copy or a mask of another page
WHITE_IS_ZERO = 0
MAX_16_BIT = 65535

DECODE_ERRORS = (
    OSError,
    SyntaxError,  # Pillow raises it for a broken PNG
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
    Image.DecompressionBombWarning,  # raised under -W error
)


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image without decoding it; errors until it is closed, also in decoding, are raised with its path.

    Raises:
        DataError: the file is missing, broken, no image, implausibly large, has several pages, or is DICOM and
            pydicom is not installed.
    """
    try:
        with _open(path) as image:
            _refuse_pages(image)
            yield image
    except FileNotFoundError as failure:
        raise DataError(f"'{path}' is missing") from failure
    except DECODE_ERRORS as failure:
        reason = " ".join(str(failure).split()) or type(failure).__name__
        raise DataError(f"'{path}' cannot be read as an image: {reason}") from failure


def _open(path: str | Path) -> Image.Image:
    if Path(path).suffix.lstrip(".").casefold() in EXTENSIONS:
        return read_dicom(path)
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        if not is_dicom(path):
            raise
    return read_dicom(path)


def _refuse_pages(image: Image.Image) -> None:
    """Refuse a TIFF with several images; pages that are smaller copies or masks of the first page do not count."""
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages <= 1:
        return
    images = 1
    for page in range(1, pages):
        image.seek(page)
        flags = int(getattr(image, "tag_v2", {}).get(SUBFILE, 0))
        images += not flags & REDUCED_OR_MASK
    image.seek(0)
    if images > 1:
        raise ValueError(f"it holds {images} pages; one image a file is expected, so save the one that is meant")


def values_16_bit(image: Image.Image) -> NDArray[np.int64] | None:
    """The values 0..65535 of a grey image with more than 8 bits, (height, width); None for any other image.

    Raises:
        ValueError: there is no agreed conversion of its pixels to 8 bits.
    """
    if image.mode in {"F", "LAB"}:
        raise ValueError(f"its pixels are of mode {image.mode}, for which no way to 8-bit RGB is agreed")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return None
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > MAX_16_BIT:
        raise ValueError(f"its values lie in {low}..{high}, not in 0..{MAX_16_BIT}, and no way to 8 bits is agreed")
    inverted = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO  # Pillow inverts only 8-bit images
    return MAX_16_BIT - values if inverted else values
