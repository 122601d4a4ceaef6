"""Turn images: copies of normal images at several angles, for a memory that knows objects in any position."""

from __future__ import annotations

from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image


def turned_pixels(pixels: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    """Turn an image about (width/2, height/2), counter-clockwise, on the same canvas.

    Bilinear; beyond the border the image is mirrored without its edge pixel, as OpenCV's warp does it. The centre is
    that of OpenCV users, so that 90 degrees shift the image by a pixel.

    Args:
        pixels: uint8 (height, width) or (height, width, channels).
        angle: in degrees; 0 returns the image itself.
    """
    if angle % 360 == 0:
        return pixels
    height, width = pixels.shape[:2]
    c, s = cos(radians(angle)), sin(radians(angle))
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - width / 2, y - height / 2
    from_x, from_y = c * x - s * y + width / 2, s * x + c * y + height / 2
    left, top = np.floor(from_x).astype(np.int64), np.floor(from_y).astype(np.int64)
    right_share, lower_share = from_x - left, from_y - top
    if pixels.ndim == 3:
        right_share, lower_share = right_share[..., None], lower_share[..., None]
    columns = [_mirrored(left + shift, width) for shift in (0, 1)]
    rows = [_mirrored(top + shift, height) for shift in (0, 1)]
    upper, lower = (pixels[row, columns[0]] * (1 - right_share) + pixels[row, columns[1]] * right_share for row in rows)
    return np.asarray(np.rint(upper * (1 - lower_share) + lower * lower_share), dtype=np.uint8)


def _mirrored(places: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """Bring places into 0..side − 1 by reflection at the first and at the last pixel."""
    if side == 1:
        return np.zeros_like(places)
    period = 2 * (side - 1)
    places = places % period
    return np.asarray(np.where(places < side, places, period - places))


def turned(image: Image, angle: float) -> Image:
    """Turn an image by `turned_pixels`, as RGB where it is not grey; an angle of 0 returns the image itself."""
    from PIL.Image import fromarray

    if angle % 360 == 0:
        return image
    plain = image if image.mode in {"L", "RGB", "RGBA"} else image.convert("RGB")
    return fromarray(turned_pixels(np.asarray(plain), angle))
