"""Show numbers as colours on fixed scales, so that colours in different images can be compared.

A scale has colours at equal steps from `low` to `high` and interpolates linearly between them; values outside get the
colour of the end. `heat` (dark blue, yellow, red) is for anomaly maps, `grey` for magnitudes, `signed` (blue, white,
red) for values around a middle.
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
    """Convert values, (height, width), to colours; uint8 (height, width, 3)."""
    stops = np.array([[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in SCALES[scale]])
    fractions = np.clip((np.asarray(values, np.float64) - low) / (high - low), 0, 1)
    steps = np.linspace(0, 1, len(stops))
    channels = [np.interp(fractions, steps, channel) for channel in stops.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def overlay(image: Image, scores: NDArray[Any], low: float, high: float) -> Image:
    """Blend an anomaly map, (height, width), as heat colours over an image of any size; values are clipped."""
    from PIL import Image as PILImage

    coloured = PILImage.fromarray(paint(scores, low, high))
    return PILImage.blend(image.convert("RGB"), coloured.resize(image.size, PILImage.Resampling.BILINEAR), OPACITY)


def write_png(path: Path, image: Image) -> None:
    """Write a PNG file atomically."""
    write_atomically(path, encoded(image, "PNG"))


def encoded(image: Image, form: str, **settings: Any) -> bytes:
    """Encode an image in the file format `form`; `settings` are passed to Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, format=form, **settings)
    return buffer.getvalue()
