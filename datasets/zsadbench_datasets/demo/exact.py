"""Arithmetic whose every bit is the same on every machine.

Only operations that IEEE 754 rounds exactly are used: + − × ÷, square root, floor, comparisons. There is no
sine, no power, no sum over an axis (their last bits depend on the processor), and all chance comes from
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

LATTICE = 32  # random values a side before they repeat; a power of two


def generator(key: str) -> Rng:
    """The generator of one image: `key` is all that it depends on."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(seed))


def between(rng: Rng, bounds: tuple[float, float]) -> float:
    """A number between two bounds."""
    return bounds[0] + (bounds[1] - bounds[0]) * rng.random()


def whole(rng: Rng, bounds: tuple[int, int]) -> int:
    """A whole number between two bounds, both included."""
    return bounds[0] + int(rng.random() * (bounds[1] - bounds[0] + 1))


def pick(rng: Rng, items: Sequence[Item]) -> Item:
    """One of some things."""
    return items[int(rng.random() * len(items))]


def bell(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """Noise of mean 0 and deviation 1: the sum of four even ones, which never reaches beyond ±3.5."""
    a, b, c, d = (rng.random(shape) for _ in range(4))
    return (((a + b) + (c + d)) - 2) * 1.7320508075688772


@overload
def wave(turns: float) -> float: ...
@overload
def wave(turns: Floats) -> Floats: ...
def wave(turns: float | Floats) -> float | Floats:
    """A sine made of parabolas: 0 at 0, 1 at a quarter, 0 at a half, −1 at three quarters."""
    v = 2 * (turns - np.floor(turns)) - 1
    return -4 * v * (1 - abs(v))


def direction(turns: float) -> tuple[float, float]:
    """A unit vector, about `turns` of a full turn from the first axis."""
    x, y = wave(turns + 0.25), wave(turns)
    norm = float(np.sqrt(x * x + y * y))
    return float(x) / norm, float(y) / norm


def smooth(t: Floats) -> Floats:
    """From 0 to 1 as `t` goes from 0 to 1, level at both ends."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def fold(t: Floats) -> Floats:
    """The distance to the nearest whole number, 0 to 0.5."""
    return abs(t - np.floor(t + 0.5))


def length(x: Floats, y: Floats) -> Floats:
    """The length of vectors."""
    return np.sqrt(x * x + y * y)


def shifted(values: Floats, down: int, right: int) -> Floats:
    """The array moved by whole pixels; what comes in repeats the edge."""
    rows = np.clip(np.arange(values.shape[0]) - down, 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) - right, 0, values.shape[1] - 1)
    return values[rows[:, None], columns[None, :]]


class Plane(NamedTuple):
    """Where each pixel of an image lies in a drawing; `step` is the width of a pixel there."""

    x: Floats
    y: Floats
    step: float

    def cover(self, distance: Floats) -> Floats:
        """How much of each pixel lies inside of a line that is `distance` away (negative inside)."""
        return np.clip(0.5 - distance / self.step, 0, 1)


def plane(size: int, turns: float = 0, units: float = 1, shift: tuple[float, float] = (0, 0)) -> Plane:
    """A square of `units` a side around `shift`, turned."""
    line = ((np.arange(size) + 0.5) / size - 0.5) * units
    c, s = direction(turns)
    x, y = line[None, :], line[:, None]
    return Plane(c * x + s * y + shift[0], c * y - s * x + shift[1], units / size)


def cloud(rng: Rng, x: Floats, y: Floats, octaves: int = 3) -> Floats:
    """Soft random patches about one unit wide, with finer ones on them; 0 to 1."""
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
    """For each pixel: the distance to the nearest of scattered points, to the second nearest, the nearest's lot."""

    first: Floats
    second: Floats
    lot: Floats


def cells(rng: Rng, x: Floats, y: Floats, order: float = 0.2) -> Cells:
    """Points scattered one a unit square; `order` 1 makes a grid of them."""
    places, lots = rng.random((2, LATTICE * LATTICE)), rng.random(LATTICE * LATTICE)
    places, last = 0.5 + (places - 0.5) * (1 - order), LATTICE - 1
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    within_x, within_y = x - left, y - top
    first, second, lot = np.full(x.shape, 99.0), np.full(x.shape, 99.0), np.zeros(x.shape)
    for down, right in ((d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)):
        cell = (top + down & last) * LATTICE + (left + right & last)
        across, along = places[0].take(cell) + right - within_x, places[1].take(cell) + down - within_y
        away = across * across + along * along
        nearer = away < first
        second = np.minimum(second, np.where(nearer, first, away))
        lot = np.where(nearer, lots.take(cell), lot)
        first = np.minimum(first, away)
    return Cells(np.sqrt(first), np.sqrt(second), lot)
