"""Image files → arrays: the one place where pixels are read.

Both orders of preprocessing that publications use are here: `resize_first` resizes what is stored and then
converts to RGB (OpenCLIP's transform; FB-CLIP, AnomalyCLIP), `rgb_first` converts, then resizes (AF-CLIP, and
the protocol `strict`). They differ for palettes, transparency and two-tone images only.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.images.formats import opened, wide_values
from zsadbench.types import Preprocessing

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)  # CLIP's own
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)

ORIENTATION = 0x0112


def read_image(path: str | Path, least: int = 0) -> Image.Image:
    """The image as stored, turned upright by its EXIF orientation; 16-bit grey is scaled to 8 bits.

    With `least`, a JPEG may come at a fraction of its size, both sides at least so long: much faster to decode.

    Raises:
        DataError: it is missing, truncated, no image, or implausibly large.
    """
    with opened(path) as image:
        if least:
            image.draft(None, (least, least))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _eight_bits(image)


def prepare(image: Image.Image, size: int, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Resize (bicubic, antialiased, aspect ratio not kept) and normalise; float32 (3, size, size)."""
    return normalise(resize_image(image, size, preprocessing))


def resize_image(image: Image.Image, size: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize (bicubic, antialiased, aspect ratio not kept) and convert to RGB; uint8 (size, size, 3)."""
    if preprocessing == "rgb_first":
        image = _rgb(image)
    return np.asarray(_rgb(image.resize((size, size), Image.Resampling.BICUBIC)))


def normalise(pixels: NDArray[np.uint8], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """((pixels / 255) − mean) / deviation, in float32 and in this order; uint8 (h, w, 3) → float32 (3, h, w).

    Colour by colour: the inner loop then runs over a row of pixels, not over three numbers. Writes into `out`
    where it is given.
    """
    made = np.empty((3, *pixels.shape[:2]), dtype=np.float32) if out is None else out
    for plane, colour, mean, deviation in zip(made, np.moveaxis(pixels, 2, 0), MEAN, STD, strict=True):
        np.divide(colour, np.float32(255), out=plane, dtype=np.float32)
        np.subtract(plane, mean, out=plane)
        np.divide(plane, deviation, out=plane)
    return made


def prepare_image(path: str | Path, size: int, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Read and prepare one image; float32 (3, size, size), normalised with CLIP's mean and deviation.

    Raises:
        DataError: the file cannot be read.
    """
    return prepare(read_image(path), size, preprocessing)


def oriented_size(path: str | Path) -> tuple[int, int]:
    """(width, height) after EXIF orientation, from the header alone.

    Raises:
        DataError: the file cannot be opened as an image.
    """
    with opened(path) as image:
        width, height = image.size
        stored = image.format != "PNG" or "exif" in image.info  # asking a PNG would decode all of it
        turned = stored and image.getexif().get(ORIENTATION, 1) in {5, 6, 7, 8}
        return (height, width) if turned else (width, height)


def _eight_bits(image: Image.Image) -> Image.Image:
    wide = wide_values(image)
    return image if wide is None else Image.fromarray(((wide + 128) // 257).astype(np.uint8))


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
