"""Image files → arrays: the one place where pixels are read.

Both orders of preprocessing that publications use are here: `resize_first` resizes what is stored and then
converts to RGB (OpenCLIP's transform; FB-CLIP, AnomalyCLIP), `rgb_first` converts, then resizes (AF-CLIP, and
the protocol `strict`). They differ for palettes, transparency and two-tone images only.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.card import Positive
from zsadbench.data.opening import opened, wide_values
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


def read_mask(path: str | Path, positive: Positive = "> 0") -> NDArray[np.uint8]:
    """The mask at native size, uint8 (height, width) of 0 and 1: where its grey value is `positive`.

    Raises:
        DataError: the file cannot be read.
    """
    return is_positive(grey_values(path), positive).astype(np.uint8)


class Grey(NamedTuple):
    """The grey values 0..255 of a mask, (height, width), and whether they were stored as JPEG."""

    values: NDArray[Any]
    jpeg: bool


def is_positive(grey: Grey, positive: Positive) -> NDArray[np.bool_]:
    """Where grey values are anomalous by the card's rule, (height, width)."""
    middle = grey.jpeg if positive == "> 0; jpeg >= 128" else positive == ">= 128"
    return np.asarray(grey.values >= 128 if middle else grey.values > 0)


def resize_mask_nearest(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 to (size, size), nearest neighbour."""
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST), dtype=np.uint8)


def soften_mask(mask: NDArray[np.uint8], size: int, *, bicubic: bool = False) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 as publications do, bilinear or bicubic, cut above one half; (size, size)."""
    return (grey_mask(mask, size, bicubic=bicubic) > 0.5).astype(np.uint8)


def grey_mask(mask: NDArray[np.uint8], size: int, *, bicubic: bool) -> NDArray[np.float32]:
    """Resize a mask of 0 and 1 smoothly and leave it grey: (size, size), steps of 1/255 from 0 to 1."""
    rule = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    smooth = Image.fromarray(mask * np.uint8(255)).resize((size, size), rule)
    return np.asarray(smooth, dtype=np.float32) / np.float32(255)


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


def grey_values(path: str | Path) -> Grey:
    """The grey values of a mask; 16-bit ones rounded up, so that what is not zero stays so.

    Raises:
        DataError: the file cannot be read.
    """
    with opened(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        wide = wide_values(image)
        if wide is not None:
            return Grey(-(-wide // 257), jpeg=False)
        image.info.pop("transparency", None)
        return Grey(np.asarray(image.convert("L")), jpeg=image.format in {"JPEG", "MPO"})
