"""Read images and preprocess them for an encoder; all images are read here.

Publications use two orders of preprocessing: `resize_first` resizes the image as stored and then converts it to RGB
(OpenCLIP's transform; FB-CLIP, AnomalyCLIP), `rgb_first` converts first and then resizes (AF-CLIP and the protocol
`strict`). They differ only for images with a palette, with transparency, or with two tones.

PromptAD reads with OpenCV: `opencv_rgb` resizes the RGB image to 1024 pixels by bilinear interpolation without
antialiasing, then as `rgb_first`; `opencv_bgr` also exchanges red and blue.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.images.formats import open_image, values_16_bit
from zsadbench.tokens import CLIP_PIXELS, PixelNorm
from zsadbench.types import Preprocessing

OPENCV_SIDE = 1024  # to which PromptAD resizes images and masks first

ORIENTATION = 0x0112  # a tag of EXIF
IMAGE_WIDTH, IMAGE_LENGTH = 256, 257  # tags of TIFF
TRANSPOSED = {  # orientations that exchange width and height → how to turn the stored pixels upright
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
EXIF_IN_PNG = ("exif", "Raw profile type exif", "XML:com.adobe.xmp")  # entries that may state the orientation


def read_image(path: str | Path, min_side: int = 0) -> Image.Image:
    """Read an image, turn it upright by its EXIF orientation, and scale 16-bit grey to 8 bits.

    With `min_side`, a JPEG may be decoded at a fraction of its size with both sides at least `min_side` pixels, which
    is much faster.

    Raises:
        DataError: the file is missing, truncated, no image, or implausibly large.
    """
    with open_image(path) as image:
        if min_side:
            image.draft(None, (min_side, min_side))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        values = values_16_bit(image)
        return image if values is None else Image.fromarray(((values + 128) // 257).astype(np.uint8))


def prepare(
    image: Image.Image, size: int, preprocessing: Preprocessing, pixels: PixelNorm = CLIP_PIXELS
) -> NDArray[np.float32]:
    """Resize an image and normalise it, see `resize_image` and `normalise`; float32 (3, size, size)."""
    return normalise(resize_image(image, size, preprocessing), norm=pixels)


def resize_image(image: Image.Image, size: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize an image (bicubic, antialiased, aspect ratio not kept) and convert it to RGB; uint8 (size, size, 3)."""
    if preprocessing != "resize_first":
        image = _rgb(image)
    if preprocessing in {"opencv_rgb", "opencv_bgr"}:
        image = Image.fromarray(_resize_as_opencv(np.asarray(image), OPENCV_SIDE))
        resized = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
        return resized if preprocessing == "opencv_rgb" else np.ascontiguousarray(resized[..., ::-1])
    return np.asarray(_rgb(image.resize((size, size), Image.Resampling.BICUBIC)))


def _resize_as_opencv(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize bilinearly without antialiasing, pixel centres aligned; uint8 (height, width, 3) → (side, side, 3).

    OpenCV computes with fixed-point weights; some values differ by one level.
    """
    values = pixels.astype(np.float32)
    for axis in (0, 1):
        length = values.shape[axis]
        position = np.clip((np.arange(side, dtype=np.float32) + 0.5) * length / side - 0.5, 0, length - 1)
        below = np.floor(position).astype(np.int64)
        weight = (position - below).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        above = np.minimum(below + 1, length - 1)
        values = (1 - weight) * values.take(below, axis) + weight * values.take(above, axis)
    return np.rint(values).astype(np.uint8)


def normalise(
    pixels: NDArray[np.uint8], out: NDArray[np.float32] | None = None, norm: PixelNorm = CLIP_PIXELS
) -> NDArray[np.float32]:
    """Normalise RGB pixels: ((pixels / 255) − mean) / deviation; uint8 (height, width, 3) → float32 (3, height, width).

    Mean and deviation are those of the encoder, by default CLIP's. The result is written into `out`, if given. Each
    colour is processed on its own, so that the inner loop runs over a row of pixels and not over three numbers.
    """
    result = np.empty((3, *pixels.shape[:2]), dtype=np.float32) if out is None else out
    of_colours = (np.array(values, dtype=np.float32) for values in norm)
    for plane, colour, mean, deviation in zip(result, np.moveaxis(pixels, 2, 0), *of_colours, strict=True):
        np.divide(colour, np.float32(255), out=plane, dtype=np.float32)
        np.subtract(plane, mean, out=plane)
        np.divide(plane, deviation, out=plane)
    return result


def prepare_image(path: str | Path, size: int, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Read, resize and normalise one image; float32 (3, size, size).

    Raises:
        DataError: the file cannot be read.
    """
    return prepare(read_image(path), size, preprocessing)


class ImageHeader(NamedTuple):
    """Width and height as stored, and the EXIF orientation; None if the file states none."""

    width: int
    height: int
    orientation: int | None = None

    @property
    def stored(self) -> tuple[int, int]:
        """(width, height) as stored."""
        return self.width, self.height

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) after EXIF orientation."""
        return (self.height, self.width) if self.orientation in TRANSPOSED else (self.width, self.height)


def read_header(path: str | Path) -> ImageHeader:
    """Read the size and orientation of an image without decoding it.

    Raises:
        DataError: the file cannot be opened as an image.
    """
    with open_image(path) as image:
        has_exif = image.format != "PNG" or not image.info.keys().isdisjoint(EXIF_IN_PNG)  # else getexif decodes
        tags = getattr(image, "tag_v2", {})  # of TIFF, whose size Pillow gives as turned
        stored = tags.get(IMAGE_WIDTH, image.width), tags.get(IMAGE_LENGTH, image.height)
        return ImageHeader(*stored, image.getexif().get(ORIENTATION) if has_exif else None)


def oriented_size(path: str | Path) -> tuple[int, int]:
    """Read (width, height) after EXIF orientation from the header, without decoding the image.

    Raises:
        DataError: the file cannot be opened as an image.
    """
    return read_header(path).upright


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    image.info.pop("transparency", None)  # does not change colours, but Pillow warns about it
    return image.convert("RGB")


def size_text(width: int, height: int) -> str:
    """A size as text, for messages.

    >>> size_text(640, 480)
    '640×480'
    """
    return f"{width}×{height}"
