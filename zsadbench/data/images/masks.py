"""Read masks, make them binary by the card's rule, and resize them for evaluation and training."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.images.mask_values import GreyMask, read_grey_mask
from zsadbench.data.images.preprocess import OPENCV_SIDE, TRANSPOSED, ImageHeader, read_header

# `!= 0` is the rule of publications: every value but 0, also in JPEG.
ReadingRule = PositiveRule | Literal["!= 0"]


def read_mask(path: str | Path, positive: ReadingRule = "> 0", image: str | Path | None = None) -> NDArray[np.uint8]:
    """Read a mask at its native size; uint8 (height, width), 1 where its value is anomalous by `positive`.

    Args:
        path: of the mask.
        positive: the rule.
        image: the image of the mask; if its EXIF turns it and the mask has the size of the stored pixels, the mask is
            turned with it. None to read the mask as it is.

    Raises:
        DataError: the file cannot be read, or can be read in two ways.
    """
    grey = read_grey_mask(path)
    mask = is_positive(grey, positive).astype(np.uint8)
    if image is None:
        return mask
    height, width = mask.shape
    header = read_header(image)
    turned = is_drawn_unturned(header, ImageHeader(width, height, 1 if grey.oriented else None))
    return np.asarray(Image.fromarray(mask).transpose(TRANSPOSED[header.orientation or 1])) if turned else mask


def is_drawn_unturned(image: ImageHeader, mask: ImageHeader) -> bool:
    """Whether a mask is drawn on the stored pixels of an image that EXIF turns, as far as their sizes tell.

    A mask that states an orientation is turned by it and never with its image.
    """
    by_exif = image.orientation in TRANSPOSED and mask.orientation is None
    return by_exif and mask.upright == image.stored != image.upright


def is_positive(grey: GreyMask, positive: ReadingRule) -> NDArray[np.bool_]:
    """Where the values of a mask are anomalous by the rule; bool (height, width).

    Lossy compression leaves dark grey pixels around the marked region: in such a file, values count from 128 on.
    """
    from_middle = positive != "!= 0" and (grey.lossy or positive == ">= 128")
    return np.asarray(grey.values >= 128 if from_middle else grey.values > 0)


def resize_mask_nearest(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 by nearest neighbour; uint8 (size, size)."""
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST), dtype=np.uint8)


def resize_mask_as_opencv(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 by OpenCV's nearest neighbour, first to 1024 pixels; uint8 (size, size)."""
    for side in (OPENCV_SIDE, size):
        rows, columns = (np.arange(side) * length // side for length in mask.shape)  # the upper left corner counts
        mask = mask[rows[:, None], columns]
    return mask


def soften_mask(mask: NDArray[np.uint8], size: int, *, bicubic: bool = False) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 bilinearly or bicubically, then threshold above 0.5; uint8 (size, size)."""
    return (resize_mask_grey(mask, size, bicubic=bicubic) > 0.5).astype(np.uint8)


def resize_mask_grey(mask: NDArray[np.uint8], size: int, *, bicubic: bool) -> NDArray[np.float32]:
    """Resize a mask of 0 and 1 bilinearly or bicubically; float32 (size, size) from 0 to 1, in steps of 1/255."""
    rule = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    smooth = Image.fromarray(mask * np.uint8(255)).resize((size, size), rule)
    return np.asarray(smooth, dtype=np.float32) / np.float32(255)


def training_mask(path: str | Path, size: int) -> NDArray[np.uint8]:
    """Read a mask as the publications' loaders do: every non-zero value is anomalous, then bilinear `soften_mask`.

    Raises:
        DataError: the file cannot be read.
    """
    return soften_mask(read_mask(path, "!= 0"), size)
