"""A perceptual hash: pictures that look the same get hashes that differ in a few bits.

The idea: at 64 × 64 pixels a picture has lost what a JPEG encoder, another size or a slight change of brightness
can alter; the signs of its low spatial frequencies, against their median, are what is left of it. The form is
PDQ's (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019), after
Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010: 16 × 16 coefficients of the
cosine transform, without the constant ones, give 256 bits.

Conventions: grey values by ITU-R 601, shrunk by a triangle filter. `CLOSE` was set on 422 photographs (of MVTec
AD, BrainMRI and CVC-ColonDB): all copies saved as JPEG of quality 75, of half the size, or both, lie within 16
bits; different pictures of one kind of object start at 20, photographs of different sets at 82. `DETAIL` is a
floor under PDQ's measure of how much there is to see, 0 to 100; what has less is flat, and flat pictures are
alike without being copies. A mirrored or cropped copy is not found.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

SIDE = 64  # pixels that are transformed
LEAST = 2 * SIDE  # what an image may be decoded at, when its decoder can shrink
FREQUENCIES = slice(1, 17)
BITS = 256
CLOSE = 16  # bits that copies may differ in
DETAIL = 10

BLOCK = 2048

Hashes = NDArray[np.uint8]


class Look(NamedTuple):
    """A picture's hash, uint8 (32,) of packed bits, and how much there is to see in it, 0 to 100."""

    bits: NDArray[np.uint8]
    detail: int


def perceptual_hash(image: Image.Image) -> Look:
    """Hash an image of any mode and size."""
    grey = _grey(image)
    waves = np.asarray(dctn(grey, type=2, norm="ortho"))[FREQUENCIES, FREQUENCIES]
    return Look(np.packbits(waves > np.median(waves)), _detail(grey))


def _grey(image: Image.Image) -> NDArray[np.float32]:
    """Grey values, float32 (64, 64) in 0..255."""
    if image.mode != "L":
        image.info.pop("transparency", None)  # it changes no colour, and Pillow warns of it
        image = image.convert("RGB").convert("L")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float32)


def _detail(grey: NDArray[np.float32]) -> int:
    """PDQ's measure: the steps between neighbours in whole percent of the range, summed, over 90, at most 100."""
    steps = sum(int(np.floor(np.abs(np.diff(grey, axis=axis)) * 100 / 255).sum()) for axis in (0, 1))
    return min(100, steps // 90)


def near_duplicates(left: Hashes, right: Hashes) -> NDArray[np.int64]:
    """Every pair of hashes, uint8 (n, 32) and (m, 32), at most `CLOSE` bits apart; int64 (pairs, 3).

    A row is (place in `left`, place in `right`, distance); rows are sorted by their places.
    """
    return np.concatenate([np.empty((0, 3), dtype=np.int64), *_close(_signs(left), _signs(right))])


def _signs(hashes: Hashes) -> NDArray[np.float32]:
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _close(left: NDArray[np.float32], right: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """Block by block of `left`: a product of signs is 256 less twice the distance, and exact in float32."""
    rows = max(1, BLOCK * BLOCK // max(1, len(right)))
    for start in range(0, len(left), rows):
        products = left[start : start + rows] @ right.T
        first, second = np.nonzero(products >= BITS - 2 * CLOSE)
        distances = (BITS - products[first, second].astype(np.int64)) // 2
        yield np.stack([first + start, second, distances], axis=1)
