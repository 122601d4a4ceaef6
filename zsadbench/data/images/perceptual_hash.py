"""A perceptual hash: images that look the same have hashes that differ in few bits.

At 64 × 64 pixels, an image no longer shows the changes made by JPEG compression, resizing or slightly different
brightness. The hash holds the signs of its low spatial frequencies relative to their median. It has the form of PDQ,
the image hash of https://github.com/facebook/ThreatExchange: 16 × 16 coefficients of the cosine transform, without the
constant ones, give 256 bits.

Conventions: grey values are those of ITU-R 601, resized with a triangle filter. `CLOSE` was chosen on 422 photographs
(of MVTec AD, BrainMRI and CVC-ColonDB): the hashes of copies saved as JPEG of quality 75, at half the size, or both,
differ in at most 16 bits; those of different images of one kind of object in at least 20, and those of images from
different data sets in at least 82. Images with less than `DETAIL` by PDQ's measure of visible detail, 0 to 100, are
flat; flat images have similar hashes without being copies. Mirrored and cropped copies are not found.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

SIDE = 64  # pixels of the transformed image
MIN_SIDE = 2 * SIDE  # pixels to which a JPEG may be reduced while it is decoded
FREQUENCIES = slice(1, 17)
BITS = 256
CLOSE = 16  # largest number of bits in which copies differ
DETAIL = 10  # least detail of an image that is compared

BLOCK = 2048  # side of the block of pairs compared at once

Hashes = NDArray[np.uint8]


class PerceptualHash(NamedTuple):
    """The hash of an image, uint8 (32,) of packed bits, and its visible detail, 0 to 100."""

    bits: NDArray[np.uint8]
    detail: int


def perceptual_hash(image: Image.Image) -> PerceptualHash:
    """Compute the hash of an image of any mode and size, and PDQ's measure of its visible detail.

    The detail is the sum of the steps between neighbouring pixels in whole percent of the range, divided by 90, at
    most 100.
    """
    if image.mode != "L":
        image.info.pop("transparency", None)  # does not change colours, but Pillow warns about it
        image = image.convert("RGB").convert("L")
    grey = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float32)
    coefficients = np.asarray(dctn(grey, type=2, norm="ortho"))[FREQUENCIES, FREQUENCIES]
    steps = sum(int(np.floor(np.abs(np.diff(grey, axis=axis)) * 100 / 255).sum()) for axis in (0, 1))
    return PerceptualHash(np.packbits(coefficients > np.median(coefficients)), min(100, steps // 90))


def near_duplicates(left: Hashes, right: Hashes) -> NDArray[np.int64]:
    """Find every pair of hashes, uint8 (n, 32) and (m, 32), that differ in at most `CLOSE` bits; int64 (pairs, 3).

    A row is (index in `left`, index in `right`, differing bits); rows are sorted by the two indices.
    """
    return np.concatenate([np.empty((0, 3), dtype=np.int64), *_close_pairs(_signs(left), _signs(right))])


def _signs(hashes: Hashes) -> NDArray[np.float32]:
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _close_pairs(left: NDArray[np.float32], right: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """Close pairs, one block of `left` after the other: a product of signs is 256 − 2 · distance, exact in float32."""
    rows = max(1, BLOCK * BLOCK // max(1, len(right)))
    for start in range(0, len(left), rows):
        products = left[start : start + rows] @ right.T
        first, second = np.nonzero(products >= BITS - 2 * CLOSE)
        distances = (BITS - products[first, second].astype(np.int64)) // 2
        yield np.stack([first + start, second, distances], axis=1)
