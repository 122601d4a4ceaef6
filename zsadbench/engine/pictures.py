"""A heat map over its image, on one fixed colour scale: a normal image must not glow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zsadbench.checkpoints import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.engine.maps import Map

OPACITY = 0.5
COLOURS = ("#1b2a6b", "#f2d33a", "#c4161c")  # low, middle, high: dark blue, yellow, red


def overlay(image: Image, scores: Map, low: float, high: float) -> Image:
    """Blend the colours of a (height, width) map over an image of any size; values outside [low, high] are cut."""
    from PIL import Image as Pictures
    from PIL import ImageOps

    scaled = np.clip((scores - low) / (high - low), 0, 1)
    grey = Pictures.fromarray((255 * scaled).round().astype(np.uint8))
    coloured = ImageOps.colorize(grey, black=COLOURS[0], mid=COLOURS[1], white=COLOURS[2])
    return Pictures.blend(image.convert("RGB"), coloured.resize(image.size, Pictures.Resampling.BILINEAR), OPACITY)


def write_png(path: Path, image: Image) -> None:
    """Write a PNG, whole or not at all."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())
