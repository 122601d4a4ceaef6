"""Open image files of all supported formats as Pillow images.

Only the formats in `FORMATS` are opened, by the content of a file and not by its name: Pillow would pass PostScript on
to another program. Pillow reads the common formats, including TIFF in grey, colour, palette and CMYK, with 8 and
16 bits, in strips, tiles or planes. Other TIFF readers also read floating-point and 32-bit values, but there is no
agreed conversion of these to 8 bits. DICOM is read by `zsadbench.data.images.dicom`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zsadbench.data.images.dicom import EXTENSIONS, is_dicom, read_dicom
from zsadbench.data.images.file_contents import file_content, is_regular
from zsadbench.data.images.pixel_limit import too_large
from zsadbench.errors import DataError

SUBFILE, PHOTOMETRIC = 254, 262  # tags of TIFF
REDUCED_OR_MASK = 1 | 4  # flags of a page that is a smaller copy or a mask of another page
WHITE_IS_ZERO = 0
MAX_16_BIT = 65535

# Names of Pillow; with JPEG also MPO, the JPEG of phones with further pictures, of which the first is read.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM", "JPEG2000")
SHOWN_FORMATS = "PNG, JPEG, TIFF, BMP, GIF, WebP, PNM, JPEG 2000 and DICOM"
ANIMATED = ("GIF", "PNG", "WEBP")  # formats that may hold several frames


class SeveralFramesError(DataError):
    """An image of several pages or frames."""


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image without decoding it; errors until it is closed, also in decoding, are raised with its path.

    Raises:
        SeveralFramesError: the file holds several images.
        DataError: the file is missing, broken, no image, implausibly large, of a format that is not read, or it is
            DICOM and pydicom is not installed.
    """
    try:
        with _open(path) as image:
            _refuse_frames(image, path)
            yield image
    except DataError:
        raise
    except FileNotFoundError as failure:
        raise DataError(f"'{path}' is missing") from failure
    except Image.DecompressionBombError as failure:
        raise DataError(f"'{path}' is not read: {too_large(failure)}") from failure
    except Exception as failure:  # whatever a decoder raises is a fault of the file
        reason = " ".join(str(failure).split()) or type(failure).__name__
        raise DataError(f"'{path}' cannot be read as an image: {reason}") from failure


def _open(path: str | Path) -> Image.Image:
    if not is_regular(path):
        raise ValueError(_why_unknown(path))
    if Path(path).suffix.lstrip(".").casefold() in EXTENSIONS:
        return read_dicom(path)
    try:
        image = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as failure:
        if not is_dicom(path):
            raise ValueError(_why_unknown(path)) from failure
        return read_dicom(path)
    if image.format == "TIFF":
        image.filename = ""  # else Pillow maps an uncompressed file into memory, by a wrong width if EXIF turns it
    return image


def _why_unknown(path: str | Path) -> str:
    """What a file is that Pillow does not recognise, and what to do."""
    content = file_content(path)
    if content.image:
        return f"it begins like {content.name} and is damaged"
    remedy = f"{content.remedy}; " if content.remedy else ""
    return f"it is {content.name}; {remedy}formats that are read: {SHOWN_FORMATS}"


def _refuse_frames(image: Image.Image, path: str | Path) -> None:
    """Refuse an image of several pages or frames."""
    frames = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    number, what = (_pages(image), "pages") if image.format == "TIFF" else (frames, "frames")
    if number > 1:
        raise SeveralFramesError(
            f"'{path}' cannot be read as an image: it holds {number} {what}; one image a file is expected, so save the "
            "one that is meant"
        )


def _pages(image: Image.Image) -> int:
    """The number of images in a TIFF; pages that are smaller copies or masks of the first page do not count."""
    images = 1
    for page in range(1, getattr(image, "n_frames", 1)):
        image.seek(page)
        flags = int(getattr(image, "tag_v2", {}).get(SUBFILE, 0))
        images += not flags & REDUCED_OR_MASK
    image.seek(0)
    return images


def values_16_bit(image: Image.Image) -> NDArray[np.int64] | None:
    """The values 0..65535 of a grey image with more than 8 bits, (height, width); None for any other image.

    Raises:
        ValueError: there is no agreed conversion of its pixels to 8 bits.
    """
    if image.mode in {"F", "LAB"}:
        scale = "; scale its floats to 16 bits and save them as grey PNG or TIFF" if image.mode == "F" else ""
        raise ValueError(f"its pixels are of mode {image.mode}, for which no way to 8-bit RGB is agreed{scale}")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return None
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > MAX_16_BIT:
        raise ValueError(f"its values lie in {low}..{high}, not in 0..{MAX_16_BIT}, and no way to 8 bits is agreed")
    inverted = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO  # Pillow inverts only 8-bit images
    return MAX_16_BIT - values if inverted else values
