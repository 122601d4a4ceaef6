"""The pictures of an example: the image with the contour of its mask, and a map on the scale of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zsadbench.compare.failures.colour_scale import Levels
from zsadbench.compare.failures.runs import Run
from zsadbench.compare.failures.sections import Example
from zsadbench.data import read_image, read_mask
from zsadbench.errors import DataError
from zsadbench.pictures import SCALES, encoded, overlay, paint

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.data.cards.card import PositiveRule


__all__ = ["COLOURS", "SIDE", "encoded", "heat", "outlined", "photograph"]

COLOURS = SCALES["heat"]
SIDE = 240  # pixels of the longer side
CONTOUR = (255, 255, 255)
EDGE = (0, 0, 0)


def photograph(example: Example, positive: PositiveRule) -> tuple[Image | None, Image | None]:
    """The image as a thumbnail, and its mask at that size; None where not at hand or not readable."""
    from PIL import Image as Pictures

    if example.image is None:
        return None, None
    try:
        image = read_image(example.image, SIDE).convert("RGB")
    except DataError:
        return None, None
    scale = SIDE / max(image.size)
    size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    thumbnail = image.resize(size, Pictures.Resampling.LANCZOS)
    try:
        grey = None if example.mask is None else Pictures.fromarray(255 * read_mask(example.mask, positive))
    except DataError:
        grey = None
    return thumbnail, None if grey is None else grey.resize(size, Pictures.Resampling.BOX)  # what is touched counts


def outlined(picture: Image, mask: Image | None) -> Image:
    """A picture with the contour of a mask, white with a dark edge, a pixel away so that thin defects stay visible."""
    if mask is None:
        return picture
    from PIL import Image as Pictures
    from scipy.ndimage import binary_dilation

    inside = np.asarray(mask) > 0
    near, line, edge = (binary_dilation(inside, iterations=steps) for steps in (1, 2, 3))
    edge, line = edge & ~line, line & ~near
    pixels = np.array(picture.convert("RGB"))
    pixels[edge] = EDGE
    pixels[line] = CONTOUR
    return Pictures.fromarray(pixels)


def heat(run: Run, example: Example, levels: Levels, image: Image | None) -> Image | None:
    """The map of a run in the colours of its scale, over the image where there is one; None without a map."""
    from PIL import Image as Pictures

    scores = run.read_map(example.path)
    if scores is None:
        return None
    placed = levels.place(scores)
    if image is not None:
        return overlay(image, placed, 0.0, 1.0)
    coloured = Pictures.fromarray(paint(placed, 0.0, 1.0))
    coloured.thumbnail((SIDE, SIDE), Pictures.Resampling.BILINEAR)
    return coloured
