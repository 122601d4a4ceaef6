"""Pictures of an example: the image with the contour of its mask, and the heat map of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zsadbench.compare.failures.colour_scale import ColourScale
from zsadbench.compare.failures.examples import Example
from zsadbench.compare.failures.runs import Run
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
    """A thumbnail of the image, its longer side `SIDE` pixels, and its mask at that size.

    `positive` says which values of a mask file are anomalous. Both are None without a readable image, the mask alone
    without a readable mask. A pixel of the mask is positive where any part of it is anomalous.
    """
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
        mask = None if example.mask is None else 255 * read_mask(example.mask, positive, example.image)
        grey = None if mask is None else Pictures.fromarray(mask)
    except DataError:
        grey = None
    return thumbnail, None if grey is None else grey.resize(size, Pictures.Resampling.BOX)


def outlined(picture: Image, mask: Image | None) -> Image:
    """Draw the contour of `mask`, white with a dark edge, one pixel outside it so that thin defects stay visible."""
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


def heat(run: Run, example: Example, scale: ColourScale, image: Image | None) -> Image | None:
    """The heat map of a run on an example, over `image` if there is one; None where the run has no map of it."""
    from PIL import Image as Pictures

    anomaly_map = run.read_map(example.path)
    if anomaly_map is None:
        return None
    scaled = scale.scaled(anomaly_map)
    if image is not None:
        return overlay(image, scaled, 0.0, 1.0)
    coloured = Pictures.fromarray(paint(scaled, 0.0, 1.0))
    coloured.thumbnail((SIDE, SIDE), Pictures.Resampling.BILINEAR)
    return coloured
