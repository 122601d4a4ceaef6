"""Read masks, make them binary by the card's rule, and resize them for evaluation and training."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.images.formats import open_image, values_16_bit


def read_mask(path: str | Path, positive: PositiveRule = "> 0") -> NDArray[np.uint8]:
    """Read a mask at its native size; uint8 (height, width), 1 where its grey value is anomalous by `positive`.

    Raises:
        DataError: the file cannot be read.
    """
    return is_positive(read_grey_mask(path), positive).astype(np.uint8)


class GreyMask(NamedTuple):
    """A mask before it is made binary: grey values 0..255, (height, width), and whether it is stored as JPEG."""

    values: NDArray[Any]
    jpeg: bool


def is_positive(grey: GreyMask, positive: PositiveRule) -> NDArray[np.bool_]:
    """Where the grey values of a mask are anomalous by the card's rule; bool (height, width)."""
    from_middle = grey.jpeg if positive == "> 0; jpeg >= 128" else positive == ">= 128"
    return np.asarray(grey.values >= 128 if from_middle else grey.values > 0)


def resize_mask_nearest(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a mask of 0 and 1 by nearest neighbour; uint8 (size, size)."""
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST), dtype=np.uint8)


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
    return soften_mask(read_mask(path), size)


def read_grey_mask(path: str | Path) -> GreyMask:
    """Read the grey values of a mask; 16-bit values are rounded up, so that values above 0 stay above 0.

    Raises:
        DataError: the file cannot be read.
    """
    with open_image(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        values = values_16_bit(image)
        if values is not None:
            return GreyMask(-(-values // 257), jpeg=False)
        image.info.pop("transparency", None)
        return GreyMask(np.asarray(image.convert("L")), jpeg=image.format in {"JPEG", "MPO"})
