"""Generate small images: one texture per class, defects with exact masks. The same key gives the same pixels."""

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


class ClassImages:
    """Generates the images of one class, which share a colour and a texture.

    `key`, the data set and the class, is the seed. Images are uint8 (height, width, 3), masks uint8 (height, width)
    of 0 and 1.
    """

    def __init__(self, key: str, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.rng = np.random.default_rng(zlib.crc32(key.encode()))
        self.colour = self.rng.uniform(70, 180, 3)
        self.grain = int(self.rng.integers(4, 12))

    def normal(self) -> Pixels:
        """Generate a normal image: soft patches with a little noise."""
        coarse = self.rng.normal(0, 255 / 8, (self.grain, self.grain, 3)) + self.colour
        small = Image.fromarray(_eight_bits(coarse))
        soft = np.asarray(small.resize((self.width, self.height), Image.Resampling.BICUBIC), dtype=np.float64)
        return _eight_bits(soft + self.rng.normal(0, 4, soft.shape))

    def anomalous(self) -> tuple[Pixels, Pixels]:
        """Generate an anomalous image with one defect, and its mask."""
        mask = self._defect_mask()
        stain = self.rng.uniform(60, 120) * self.rng.choice([-1.0, 1.0], 3)
        return _eight_bits(self.normal() + mask[..., None] * stain), mask

    def _defect_mask(self) -> Pixels:
        """A tilted ellipse, completely inside the image."""
        side = min(self.width, self.height)
        long, short = self.rng.uniform(0.1, 0.22) * side, self.rng.uniform(0.06, 0.1) * side
        x, y = self.rng.uniform(0.25, 0.75, 2) * (self.width, self.height)
        angle = self.rng.uniform(0, np.pi)
        down, right = np.mgrid[: self.height, : self.width] + 0.5
        along = (right - x) * np.cos(angle) + (down - y) * np.sin(angle)
        across = (down - y) * np.cos(angle) - (right - x) * np.sin(angle)
        return np.asarray((along / long) ** 2 + (across / short) ** 2 <= 1, dtype=np.uint8)


def _eight_bits(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
