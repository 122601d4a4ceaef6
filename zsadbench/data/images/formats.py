"""An image file → a Pillow image that is one picture, whatever its format.

Pillow reads all ordinary formats, TIFF among them: grey, colour, palette and CMYK, 8 and 16 bits deep, in strips,
tiles or planes. What other readers of TIFF would add, floating point and 32 bits, has no agreed meaning in 8 bits.
DICOM is read by `zsadbench.data.images.dicom`.
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
REDUCED_OR_MASK = 1 | 4  # kinds of a page that is no picture of its own
WHITE_IS_ZERO = 0
WIDEST = 65535

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


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """The image, open and not yet decoded; what goes wrong until it is closed is told with its path.

    Raises:
        DataError: it is missing, broken, no image, implausibly large, several pages, or DICOM without pydicom.
    """
    try:
        with _open(path) as image:
            _refuse_pages(image)
            yield image
    except FileNotFoundError as failure:
        raise DataError(f"'{path}' is missing") from failure
    except BROKEN as failure:
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
    """Refuse a stack of pictures; smaller copies and masks of the first page are none of their own."""
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages > 1:
        pictures = 1 + sum(not _kind(image, page) & REDUCED_OR_MASK for page in range(1, pages))
        image.seek(0)
        if pictures > 1:
            raise ValueError(f"it holds {pictures} pages; one image a file is expected, so save the one that is meant")


def _kind(image: Image.Image, page: int) -> int:
    image.seek(page)
    return int(getattr(image, "tag_v2", {}).get(SUBFILE, 0))


def wide_values(image: Image.Image) -> NDArray[np.int64] | None:
    """The values 0..65535 of a grey image with more than 8 bits, (height, width); None for any other.

    Raises:
        ValueError: its pixels have no agreed meaning in 8 bits.
    """
    if image.mode in {"F", "LAB"}:
        raise ValueError(f"its pixels are of mode {image.mode}, for which no way to 8-bit RGB is agreed")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return None
    wide = np.asarray(image).astype(np.int64)
    low, high = int(wide.min()), int(wide.max())
    if low < 0 or high > WIDEST:
        raise ValueError(f"its values lie in {low}..{high}, not in 0..{WIDEST}, and no way to 8 bits is agreed")
    turned = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO  # Pillow turns 8 bits only
    return WIDEST - wide if turned else wide
