"""Arithmetic with bit-equal results on every machine.

Only operations that IEEE 754 rounds exactly are used: + − × ÷, square root, floor, comparisons. Sine, power and sums
over an axis are avoided, because their last bits depend on the processor. All random numbers come from
`Generator.random`, which is 53 bits of PCG64.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Rng = np.random.Generator
Item = TypeVar("Item")

LATTICE = 32  # random values per side before they repeat; a power of two


def generator(key: str) -> Rng:
    """The random generator of one image, seeded by `key` alone."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(seed))


def between(rng: Rng, bounds: tuple[float, float]) -> float:
    """A uniform random number between two bounds."""
    return bounds[0] + (bounds[1] - bounds[0]) * rng.random()


def whole(rng: Rng, bounds: tuple[int, int]) -> int:
    """A uniform random integer between two bounds, both included."""
    return bounds[0] + int(rng.random() * (bounds[1] - bounds[0] + 1))


def pick(rng: Rng, items: Sequence[Item]) -> Item:
    """A random item."""
    return items[int(rng.random() * len(items))]


def random_pixel(allowed: Bits, rng: Rng) -> tuple[float, float]:
    """The position of a random allowed pixel, in units of the side, relative to the middle."""
    indices, side = np.flatnonzero(allowed), allowed.shape[0]
    row, column = divmod(int(pick(rng, indices.tolist())), side)
    return (column + 0.5) / side - 0.5, (row + 0.5) / side - 0.5


def bell(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """Noise of mean 0 and standard deviation 1: the scaled sum of four uniform numbers, which stays within ±3.5."""
    a, b, c, d = (rng.random(shape) for _ in range(4))
    return (((a + b) + (c + d)) - 2) * 1.7320508075688772


@overload
def wave(turns: float) -> float: ...
@overload
def wave(turns: Floats) -> Floats: ...
def wave(turns: float | Floats) -> float | Floats:
    """A sine approximated by parabolas: 0 at 0, 1 at a quarter turn, 0 at a half, −1 at three quarters."""
    v = 2 * (turns - np.floor(turns)) - 1
    return -4 * v * (1 - abs(v))


def direction(turns: float) -> tuple[float, float]:
    """A unit vector at about `turns` of a full turn from the first axis."""
    x, y = wave(turns + 0.25), wave(turns)
    norm = float(np.sqrt(x * x + y * y))
    return float(x) / norm, float(y) / norm


def smooth(t: Floats) -> Floats:
    """A smooth step from 0 to 1 as `t` goes from 0 to 1, with slope 0 at both ends."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def fold(t: Floats) -> Floats:
    """The distance to the nearest integer, 0 to 0.5."""
    return abs(t - np.floor(t + 0.5))


def length(x: Floats, y: Floats) -> Floats:
    """The length of vectors."""
    return np.sqrt(x * x + y * y)


def shifted(values: Floats, down: int, right: int) -> Floats:
    """The array shifted by whole pixels; the edge is repeated."""
    rows = np.clip(np.arange(values.shape[0]) - down, 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) - right, 0, values.shape[1] - 1)
    return values[rows[:, None], columns[None, :]]


class Plane(NamedTuple):
    """The coordinates of each pixel in the plane of a texture or shape; `step` is the width of a pixel."""

    x: Floats
    y: Floats
    step: float

    def cover(self, distance: Floats) -> Floats:
        """The fraction of each pixel inside an outline at `distance` (negative inside)."""
        return np.clip(0.5 - distance / self.step, 0, 1)


def plane(size: int, turns: float = 0, units: float = 1, shift: tuple[float, float] = (0, 0)) -> Plane:
    """A rotated square plane with a side of `units` around `shift`."""
    line = ((np.arange(size) + 0.5) / size - 0.5) * units
    c, s = direction(turns)
    x, y = line[None, :], line[:, None]
    return Plane(c * x + s * y + shift[0], c * y - s * x + shift[1], units / size)


def cloud(rng: Rng, x: Floats, y: Floats, octaves: int = 3) -> Floats:
    """Smooth noise: random patches about one unit wide, and finer ones per octave; 0 to 1."""
    total, weight, sum_of_weights = np.zeros(x.shape), 1.0, 0.0
    for octave in range(octaves):
        total = total + weight * _patches(rng.random((LATTICE, LATTICE)), x * 2**octave, y * 2**octave)
        sum_of_weights += weight
        weight /= 2
    return total / sum_of_weights


def _patches(values: Floats, x: Floats, y: Floats) -> Floats:
    left, top = np.floor(x), np.floor(y)
    across, down = smooth(x - left), smooth(y - top)
    column, row = left.astype(np.int64), top.astype(np.int64)

    flat, last = values.ravel(), LATTICE - 1
    rows, columns = [(row + i & last) * LATTICE for i in (0, 1)], [column + i & last for i in (0, 1)]

    def corner(right: int, below: int) -> Floats:
        return flat.take(rows[below] + columns[right])

    upper = corner(0, 0) * (1 - across) + corner(1, 0) * across
    lower = corner(0, 1) * (1 - across) + corner(1, 1) * across
    return upper * (1 - down) + lower * down


class Cells(NamedTuple):
    """Cellular noise: distances to the nearest and second nearest point, and the random value of the nearest."""

    first: Floats
    second: Floats
    value: Floats


def cells(rng: Rng, x: Floats, y: Floats, order: float = 0.2) -> Cells:
    """Cellular noise of random points, one per unit square; with `order` 1 they form a grid."""
    places, cell_values = rng.random((2, LATTICE * LATTICE)), rng.random(LATTICE * LATTICE)
    places, last = 0.5 + (places - 0.5) * (1 - order), LATTICE - 1
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    within_x, within_y = x - left, y - top
    first, second, value = np.full(x.shape, 99.0), np.full(x.shape, 99.0), np.zeros(x.shape)
    for down, right in ((d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)):
        cell = (top + down & last) * LATTICE + (left + right & last)
        across, along = places[0].take(cell) + right - within_x, places[1].take(cell) + down - within_y
        away = across * across + along * along
        nearer = away < first
        second = np.minimum(second, np.where(nearer, first, away))
        value = np.where(nearer, cell_values.take(cell), value)
        first = np.minimum(first, away)
    return Cells(np.sqrt(first), np.sqrt(second), value)
