"""Put four images, or their masks, together as the quarters of one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Tiles = tuple[int, int, int, int]  # rows of a manifest: upper left, upper right, lower left, lower right


def tile_images(images: Sequence[Image.Image]) -> Image.Image:
    """Put four images together: RGB, twice as wide and twice as high as the first.

    They are upper left, upper right, lower left and lower right. One of another size than the first is resized to it
    (bicubic, antialiased).
    """
    width, height = images[0].size
    whole = Image.new("RGB", (2 * width, 2 * height))
    for number, image in enumerate(images):
        tile = image.convert("RGB")
        tile = tile if tile.size == (width, height) else tile.resize((width, height), Image.Resampling.BICUBIC)
        whole.paste(tile, (number % 2 * width, number // 2 * height))
    return whole


def tile_masks(masks: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Put the masks of four images together, as `tile_images`: uint8 (height, width) of 0 and 1 → (2·height, 2·width).

    One of another size than the first is resized to it by nearest neighbour.
    """
    height, width = masks[0].shape
    tiles: list[NDArray[Any]] = [
        np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)) for mask in masks
    ]
    return np.block([tiles[:2], tiles[2:]]).astype(np.uint8)
