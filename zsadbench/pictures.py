"""Numbers as colours, on scales that are fixed: what is dark in one picture is as low as what is dark in another.

Every scale is a row of colours at equal steps from `low` to `high`, mixed linearly in between; values beyond an end
have its colour. `heat` is for maps (dark blue, yellow, red), `grey` for what is merely more or less, `signed` for what
has a middle (blue, white, red).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from zsadbench.files import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

Scale = Literal["heat", "grey", "signed"]
Colours = NDArray[np.uint8]  # (height, width, 3)

SCALES: dict[str, tuple[str, ...]] = {
    "heat": ("#1b2a6b", "#f2d33a", "#c4161c"),
    "grey": ("#000000", "#ffffff"),
    "signed": ("#2166ac", "#f7f7f7", "#b2182b"),
}
OPACITY = 0.5


def paint(values: NDArray[Any], low: float, high: float, scale: Scale = "heat") -> Colours:
    """The colours of (height, width) values; uint8 (height, width, 3)."""
    stops = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in SCALES[scale]])
    at = np.clip((np.asarray(values, np.float64) - low) / (high - low), 0, 1)
    steps = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(at, steps, one) for one in stops.T], axis=-1).round().astype(np.uint8)


def overlay(image: Image, scores: NDArray[Any], low: float, high: float) -> Image:
    """Blend the heat of a (height, width) map over an image of any size; values outside [low, high] are cut."""
    from PIL import Image as Pictures

    coloured = Pictures.fromarray(paint(scores, low, high))
    return Pictures.blend(image.convert("RGB"), coloured.resize(image.size, Pictures.Resampling.BILINEAR), OPACITY)


def write_png(path: Path, image: Image) -> None:
    """Write a PNG, whole or not at all."""
    write_atomically(path, encoded(image, "PNG"))


def encoded(image: Image, form: str, **settings: Any) -> bytes:
    """An image as the bytes of a file of the format `form`; `settings` are Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, format=form, **settings)
    return buffer.getvalue()
