"""Masks: read from a file, made binary by the card's rule, and resized for evaluation and for training."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zsadbench.data.cards.card import Positive
from zsadbench.data.images.formats import opened, wide_values


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
