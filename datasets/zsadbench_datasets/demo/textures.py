"""Texture families: each computes the share of its second colour and its height, on a plane with one period per unit.

Both are arrays of the image's size: the share is 0 to 1, the height is in periods. Colours and light are added in
`scenes`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zsadbench_datasets.demo.exact import Floats, Plane, Rng, between, cells, cloud, fold, length, smooth, wave


class Surface(NamedTuple):
    """For each pixel, the share of the second colour and the height."""

    mix: Floats
    height: Floats


def stripes(plane: Plane, rng: Rng) -> Surface:
    """Straight bands of two colours."""
    part = between(rng, (0.25, 0.6))
    band = plane.cover(fold(plane.x) - part / 2)
    return Surface(band, 0.1 * band)


def checks(plane: Plane, rng: Rng) -> Surface:
    """Bands both ways, darker where they cross."""
    part = between(rng, (0.4, 0.6)) / 2
    across, down = plane.cover(fold(plane.x) - part), plane.cover(fold(plane.y) - part)
    return Surface((across + down) / 2, 0.05 * wave(plane.x * 4) * wave(plane.y * 4))


def dots(plane: Plane, rng: Rng) -> Surface:
    """Round dots, every other row moved by half."""
    row = np.floor(plane.y)
    x = plane.x + 0.5 * (row - 2 * np.floor(row / 2))
    spot = plane.cover(length(fold(x - 0.5), fold(plane.y - 0.5)) - between(rng, (0.18, 0.34)))
    return Surface(spot, 0.1 * spot)


def bricks(plane: Plane, rng: Rng) -> Surface:
    """Courses of bricks with joints, each brick a little different."""
    y = plane.y * 2
    row = np.floor(y)
    x = plane.x + 0.5 * (row - 2 * np.floor(row / 2))
    joint = np.minimum(fold(x) * 2, fold(y))
    brick = smooth((joint - 0.05) / 0.1)
    cell_values = rng.random((32, 32))[row.astype(np.int64) % 32, np.floor(x).astype(np.int64) % 32]
    return Surface((1 - brick) * 0.8 + brick * 0.3 * cell_values, 0.2 * brick)


def marble(plane: Plane, rng: Rng) -> Surface:
    """Thin veins along warped lines."""
    warp = cloud(rng, plane.x, plane.y, 4)
    vein = 1 - abs(wave(plane.x * 0.5 + warp * 2.5))
    return Surface(vein * vein * vein * 0.8, 0 * warp)


def planks(plane: Plane, rng: Rng) -> Surface:
    """Boards side by side with the grain along them."""
    board = np.floor(plane.x)
    cell_values = rng.random(32)[board.astype(np.int64) % 32]
    warp = cloud(rng, plane.x * 2 + cell_values * 9, plane.y * 0.6, 3)
    grain = 0.5 + 0.5 * wave(plane.x * 3 + warp * 3 + cell_values)
    gap = smooth(fold(plane.x) / 0.05)
    return Surface(np.clip(0.6 * grain + 0.3 * cell_values + 0.6 * (1 - gap), 0, 1), 0.2 * gap + 0.03 * grain)


def sand(plane: Plane, rng: Rng) -> Surface:
    """Fine grains over soft patches."""
    grain = cloud(rng, plane.x, plane.y, 3)
    patch = cloud(rng, plane.x / 6, plane.y / 6, 2)
    return Surface(0.5 * patch + 0.5 * grain, 0.5 * grain)


def basket(plane: Plane, rng: Rng) -> Surface:
    """Two by two strands, over and under."""
    odd = np.floor(plane.x) + np.floor(plane.y)
    over = odd - 2 * np.floor(odd / 2) > 0.5
    strands = 2 if rng.random() < 0.5 else 3
    along, across = np.where(over, plane.x, plane.y), np.where(over, plane.y, plane.x)
    strand = abs(wave(across * strands / 2))
    arch = 1 - 4 * (along - np.floor(along) - 0.5) * (along - np.floor(along) - 0.5)
    return Surface(np.where(over, 0.25, 0.0) + 0.7 * (1 - strand), 0.12 * strand + 0.15 * arch)


def corrugation(plane: Plane, rng: Rng) -> Surface:
    """Even waves of one material."""
    wear = cloud(rng, plane.x / 4, plane.y / 4, 3)
    return Surface(0.6 * wear, 0.12 * wave(plane.x))


def cobbles(plane: Plane, rng: Rng) -> Surface:
    """Round stones close together."""
    stones = cells(rng, plane.x, plane.y, 0.35)
    stone = smooth((stones.second - stones.first) / 0.3)
    return Surface((1 - stone) * 0.9 + 0.35 * stone * stones.value, 0.35 * stone)


def herringbone(plane: Plane, rng: Rng) -> Surface:
    """Slanting yarns that turn from column to column."""
    x = plane.x * 0.55
    slope = abs(x - np.floor(x) - 0.5) * 2
    yarn = wave(plane.y * 2 + slope * 2.2)
    fibre = cloud(rng, plane.x * 5, plane.y * 5, 2)
    seam = smooth(fold(x * 2) / 0.08)
    mix = smooth(0.5 + 0.9 * yarn) * 0.8 * (0.55 + 0.45 * seam) + 0.25 * fibre
    return Surface(np.clip(mix, 0, 1), 0.09 * yarn * seam + 0.06 * fibre)


def shingles(plane: Plane, rng: Rng) -> Surface:
    """Rounded tiles like the scales of a fish, each row over the one below."""
    cell_values = rng.random((32, 32))
    y = plane.y * 1.7
    row = np.floor(y)
    upper, lower = (_tile(plane.x, y, row + under) for under in (0, 1))
    on_top = upper[0] < 0.5
    away, tile = np.where(on_top, upper[0], lower[0]), np.where(on_top, upper[1], lower[1])
    own = np.where(on_top, row, row + 1)
    value = cell_values[own.astype(np.int64) % 32, tile.astype(np.int64) % 32]
    edge = smooth((0.5 - away) / 0.16)
    wear = cloud(rng, plane.x * 4, plane.y * 4, 2)
    return Surface(0.45 * value + 0.4 * (1 - edge) + 0.2 * wear, 0.07 * edge + 0.03 * (y - own))


def _tile(x: Floats, y: Floats, row: Floats) -> tuple[Floats, Floats]:
    """The distance of each pixel from the middle of the nearest tile of a row (0.5 at its rim), and which it is."""
    moved = x + 0.5 * (row - 2 * np.floor(row / 2))
    tile = np.floor(moved + 0.5)
    return length(moved - tile, np.maximum(y - row, 0) / 2 * 0.98), tile


def mesh(plane: Plane, rng: Rng) -> Surface:
    """Wires both ways, each over every other one that it crosses."""
    odd = np.floor(plane.x + 0.5) + np.floor(plane.y + 0.5)
    over = odd - 2 * np.floor(odd / 2) > 0.5
    across, down = (np.clip(1 - fold(line) / 0.16, 0, 1) for line in (plane.x, plane.y))
    lifted = np.where(over, np.maximum(across, 0.55 * down), np.maximum(down, 0.55 * across))
    wire = np.clip(np.maximum(across, down) * 4, 0, 1)
    return Surface(1 - wire * (0.75 + 0.25 * cloud(rng, plane.x * 6, plane.y * 6, 2)), 0.16 * np.sqrt(lifted))


def honeycomb(plane: Plane, rng: Rng) -> Surface:
    """Six-sided tiles with pale joints, every tile a little different."""
    distance, cell = np.full(plane.x.shape, 9.0), np.zeros(plane.x.shape)
    cell_values = rng.random(1024)
    height = 1.7320508075688772
    for shift in (0.0, 0.5):
        column, row = np.floor(plane.x - shift + 0.5) + shift, np.floor(plane.y / height - shift + 0.5) + shift
        x, y = abs(plane.x - column), abs(plane.y - row * height)
        away = np.maximum(x, x * 0.5 + y * (height / 2))
        nearer = away < distance
        index = (np.floor(column * 2) * 37 + np.floor(row * 2)).astype(np.int64) % 1024
        distance, cell = np.where(nearer, away, distance), np.where(nearer, cell_values[index], cell)
    tile = smooth((0.47 - distance) / 0.08)
    return Surface((1 - tile) * 0.9 + tile * 0.3 * cell, 0.12 * tile)


def quilt(plane: Plane, rng: Rng) -> Surface:
    """Padded diamonds between seams of stitches."""
    first, second = plane.x + plane.y, plane.x - plane.y
    seam = np.minimum(fold(first), fold(second))
    padding = smooth(seam / 0.5) * (0.8 + 0.2 * cloud(rng, plane.x * 3, plane.y * 3, 2))
    stitch = plane.cover(seam - 0.035) * (wave(np.where(fold(first) < fold(second), second, first) * 7) > 0)
    weave = 0.12 * (0.5 + 0.5 * wave(plane.x * 14))
    return Surface(np.clip(weave + 0.75 * stitch, 0, 1), 0.42 * padding - 0.03 * stitch)


def cork(plane: Plane, rng: Rng) -> Surface:
    """Grains of several browns pressed together, and dark specks."""
    grain = cells(rng, plane.x + 0.4 * cloud(rng, plane.x * 2, plane.y * 2, 2), plane.y, 0)
    speck = cells(rng, plane.x * 1.7, plane.y * 1.7, 0)
    dark = smooth((0.26 * speck.value - speck.first + 0.02) * 9)
    joint = 1 - smooth((grain.second - grain.first) / 0.12)
    fine = cloud(rng, plane.x * 4, plane.y * 4, 2)
    return Surface(
        np.clip(0.42 * grain.value + 0.16 * fine + 0.25 * joint + 0.6 * dark, 0, 1), 0.08 * fine - 0.1 * joint
    )


def rope(plane: Plane, rng: Rng) -> Surface:
    """Ropes side by side, each twisted from three strands."""
    across = plane.x - np.floor(plane.x) - 0.5
    round_height = np.sqrt(np.maximum(1 - 4 * across * across, 0))
    cell_values = rng.random(32)[np.floor(plane.x).astype(np.int64) % 32]
    strand = 0.5 + 0.5 * wave(plane.y * 1.6 + cell_values - across * 1.1)
    fibre = cloud(rng, (plane.x + plane.y) * 7, (plane.y - plane.x) * 2, 2)
    mix = 0.55 * (1 - round_height) + 0.35 * (1 - strand) + 0.22 * fibre
    return Surface(np.clip(mix, 0, 1), 0.22 * round_height + 0.1 * strand)


TEXTURES: dict[str, Callable[[Plane, Rng], Surface]] = {
    function.__name__: function
    for function in (
        *(stripes, checks, dots, bricks, marble, planks, sand, basket, corrugation, cobbles),
        *(herringbone, shingles, mesh, honeycomb, quilt, cork, rope),
    )
}
