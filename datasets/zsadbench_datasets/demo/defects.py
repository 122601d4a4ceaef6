"""Kinds of defect. Each changes the surface of a scene inside a region, and says which region that is.

The mask of a defect is the set of pixels in which the image differs from the same scene without it: outside
of its region nothing changes, inside every pixel changes by at least `LEAST` grey levels in some channel.
"""

from collections.abc import Callable
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench_datasets.demo.exact import (
    Bits,
    Floats,
    Pixels,
    Plane,
    Rng,
    between,
    cloud,
    direction,
    length,
    pick,
    plane,
    shifted,
    smooth,
    wave,
    whole,
)
from zsadbench_datasets.demo.families import TINGES, Kind, Use, User
from zsadbench_datasets.demo.scenes import Scene
from zsadbench_datasets.demo.shapes import bar, box

LEAST = 4  # grey levels by which every pixel of a mask differs
SMALLEST, LARGEST = 4, 0.2  # pixels, and part of the image, of one image's mask
TRIES = 50


class Worn(NamedTuple):
    """A surface with a defect: its colours, its height, and the region that was touched."""

    albedo: Floats
    height: Floats
    region: Bits


class Flawed(NamedTuple):
    """An image with defects, the same image without, and the exact mask (0 and 1)."""

    image: Pixels
    clean: Pixels
    mask: Pixels


def flaw(scene: Scene, kind: Kind, user: User, rng: Rng) -> Flawed:
    """Put the defects of one kind on a scene, as one user has them; redrawn while too small or too large."""
    use, clean, area = kind.uses[user], scene.develop(), scene.side * scene.side
    for _ in range(TRIES):
        albedo, height, region = scene.albedo, scene.height, np.zeros(scene.solid.shape, dtype=bool)
        for _ in range(whole(rng, use.count)):
            worn = DEFECTS[kind.name](scene, albedo, height, use, rng)
            albedo, height, region = worn.albedo, worn.height, region | _without_crumbs(worn.region)
        if SMALLEST <= int(region.sum()) <= LARGEST * area:
            return _settled(clean, scene.develop(albedo, height), region)
    raise AssertionError(f"no {kind.name} of a fitting size on {scene.family.name}")


def _without_crumbs(region: Bits) -> Bits:
    """The region less its pixels that have no neighbour."""
    around = np.zeros(region.shape, dtype=np.int64)
    wide = np.pad(region, 1)
    rows, columns = region.shape
    for down, right in product((0, 1, 2), repeat=2):
        around += wide[down : down + rows, right : right + columns]
    return region & (around > 1)


def _settled(clean: Pixels, dirty: Pixels, region: Bits) -> Flawed:
    """The image that differs from the clean one exactly in the region."""
    change = dirty.astype(np.int64) - clean
    step = LEAST if int(change[region].sum()) >= 0 else -LEAST
    nudged = clean.astype(np.int64) + step
    nudged = np.where((nudged < 0) | (nudged > 255), clean.astype(np.int64) - step, nudged)
    weak = abs(change).max(axis=2) < LEAST
    image = np.where(weak[..., None], nudged, dirty)
    image = np.where(region[..., None], image, clean).astype(np.uint8)
    return Flawed(image, clean, region.astype(np.uint8))


def scratch(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A thin line, nearly straight, cut into the surface."""
    away = _curve(scene, _spot(scene.solid, rng), _size(use, rng), 0.12, rng)
    half = between(rng, use.width) / 2
    alpha = np.clip(0.5 + (half - away) * scene.side, 0, 1)
    region = (alpha > 0.2) & scene.solid
    return Worn(_tinged(albedo, alpha, use, rng), height - 1.5 * alpha, region)


def stain(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """An uneven spot with a soft edge, through which the surface shows."""
    blob = _blob(scene, _spot(scene.solid, rng), _size(use, rng), 0.9, rng)
    alpha = smooth((1 - blob) / between(rng, (0.15, 0.6)))
    region = (alpha > 0.12) & scene.solid
    return Worn(_tinged(albedo, np.where(region, alpha, 0), use, rng), height, region)


def hole(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A dark opening with a rim."""
    radius, rim = _size(use, rng), between(rng, use.width)
    away = (_blob(scene, _spot(scene.solid, rng), radius, 0.25, rng) - 1) * radius
    depth = np.clip(0.5 - away * scene.side, 0, 1)
    region = (away < rim) & scene.solid
    part = between(rng, use.contrast) / 140
    dark = albedo * (1 - (part * depth)[..., None]) + 18 * (part * depth)[..., None]
    return Worn(dark, height + np.where(region, 2.5 * np.clip(1 - abs(away) / rim, 0, 1) - depth, 0), region)


def crack(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A jagged line that thins out, with a branch."""
    reach, half = _size(use, rng), between(rng, use.width) / 2
    start, heading = _spot(scene.solid, rng), rng.random()
    alpha = np.zeros(height.shape)
    for branch in range(2):
        steps = 9 - 4 * branch
        place = start
        for step in range(steps):
            heading += between(rng, (-0.11, 0.11))
            x, y = direction(heading)
            further = (place[0] + x * reach / 9, place[1] + y * reach / 9)
            away = bar(*_flat(scene), place, further)
            alpha = np.maximum(alpha, np.clip(0.5 + (half * (1 - 0.7 * step / steps) - away) * scene.side, 0, 1))
            start = further if (branch, step) == (0, 3) else start
            place = further
        heading += between(rng, (0.08, 0.2))
    region = (alpha > 0.3) & scene.solid
    return Worn(_tinged(albedo, alpha, use, rng), height - alpha, region)


def dent(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A round hollow or bump, seen by the light on its slopes."""
    radius = _size(use, rng)
    blob = _blob(scene, _spot(scene.solid, rng), radius, 0.3, rng)
    inside = np.clip(1 - blob * blob, 0, 1)
    steep = between(rng, use.contrast) / 100 * radius * 128 / max(0.1, 1.5 * scene.family.relief)
    region = (blob < 0.97) & scene.solid
    sign = -1 if pick(rng, use.tinges) == "dark" else 1
    return Worn(albedo, height + sign * steep * inside * inside, region)


def missing(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A piece that has broken off at the edge of an object, so that what is behind shows."""
    edge = (scene.body > 0.2) & (scene.body < 0.8)
    blob = _blob(scene, _spot(edge, rng), _size(use, rng), 0.6, rng)
    region = (blob < 1) & (scene.body > 0.1)
    return Worn(np.where(region[..., None], scene.behind, albedo), np.where(region, 0, height), region)


def misplaced(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A rectangle that shows another place of the same surface, smaller and turned by a quarter."""
    place, source, size = _spot(scene.solid, rng), _spot(scene.solid, rng), _size(use, rng)
    x, y = _flat(scene)
    c, s = direction(between(rng, (-0.06, 0.06)))
    turned = Plane(c * (x - place[0]) + s * (y - place[1]), c * (y - place[1]) - s * (x - place[0]), 1 / scene.side)
    region = (box(turned, (0, 0), (size, size * between(rng, (0.5, 0.9))), 0.02) < 0) & scene.solid
    shrunk = between(rng, (1.5, 2.2))
    column = _pixel(source[0] + (y - place[1]) * shrunk, scene.side)
    row = _pixel(source[1] - (x - place[0]) * shrunk, scene.side)
    return Worn(
        np.where(region[..., None], scene.albedo[row, column], albedo),
        np.where(region, scene.height[row, column], height),
        region,
    )


def smear(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A region dragged along one direction until its pattern is gone."""
    region = (_blob(scene, _spot(scene.solid, rng), _size(use, rng), 0.5, rng) < 1) & scene.solid
    (x, y), reach = direction(rng.random()), between(rng, use.width)
    colours, heights, steps = np.zeros(albedo.shape), np.zeros(height.shape), 9
    for step in range(steps):
        along = (step / (steps - 1) - 0.5) * 2 * reach * scene.side
        down, right = int(np.floor(y * along + 0.5)), int(np.floor(x * along + 0.5))
        colours = colours + shifted(albedo, down, right) / steps
        heights = heights + shifted(height, down, right) / steps
    return Worn(np.where(region[..., None], colours, albedo), np.where(region, heights, height), region)


def thread(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A long curled fibre of another colour, which lies on the surface."""
    away = _curve(scene, _spot(scene.solid, rng), _size(use, rng), 0.5, rng)
    half = between(rng, use.width) / 2
    alpha = np.clip(0.5 + (half - away) * scene.side, 0, 1)
    return Worn(_tinged(albedo, alpha, use, rng), height + 1.2 * alpha, alpha > 0.2)


def tint(scene: Scene, albedo: Floats, height: Floats, use: Use, rng: Rng) -> Worn:
    """A region of another hue; its pattern and its light stay."""
    region = (_blob(scene, _spot(scene.solid, rng), _size(use, rng), 0.5, rng) < 1) & scene.solid
    return Worn(_tinged(albedo, region.astype(np.float64), use, rng), height, region)


def _size(use: Use, rng: Rng) -> float:
    """A length; small ones are the more frequent."""
    part = rng.random()
    return use.length[0] + (use.length[1] - use.length[0]) * part * part


def _flat(scene: Scene) -> tuple[Floats, Floats]:
    """Where pixels lie, in sides from the middle."""
    return plane(scene.side)[:2]


def _pixel(place: Floats, side: int) -> NDArray[np.int64]:
    """The row or the column in which a place lies; beyond the image it is mirrored."""
    there = np.floor((place + 0.5) * side).astype(np.int64) % (2 * side)
    return np.minimum(there, 2 * side - 1 - there)


def _spot(allowed: Bits, rng: Rng) -> tuple[float, float]:
    """The middle of one of the pixels that are allowed, in sides from the image's middle."""
    places, side = np.flatnonzero(allowed), allowed.shape[0]
    row, column = divmod(int(pick(rng, places.tolist())), side)
    return (column + 0.5) / side - 0.5, (row + 0.5) / side - 0.5


def _blob(scene: Scene, centre: tuple[float, float], radius: float, rough: float, rng: Rng) -> Floats:
    """An uneven round form: 0 in the middle, 1 on its outline."""
    x, y = _flat(scene)
    c, s = direction(rng.random())
    across, along = c * (x - centre[0]) + s * (y - centre[1]), c * (y - centre[1]) - s * (x - centre[0])
    narrow = between(rng, (1, 1.6))
    uneven = cloud(rng, x / radius * 1.5 + 9, y / radius * 1.5 + 9, 2) - 0.5
    return length(across * narrow, along) / radius + rough * uneven


def _curve(scene: Scene, middle: tuple[float, float], reach: float, bend: float, rng: Rng) -> Floats:
    """The distance to a bent line of about the given length."""
    x, y = direction(rng.random())
    bow, phase, curl = between(rng, (-bend, bend)), rng.random(), between(rng, (0.3, 0.9))
    points = []
    for step in range(11):
        along = step / 10 - 0.5
        aside = bow * (wave(along * curl + phase) - wave(phase)) * 0.6
        points.append((middle[0] + reach * (x * along - y * aside), middle[1] + reach * (y * along + x * aside)))
    away = np.full((scene.side, scene.side), 9.0)
    for start, end in pairwise(points):
        away = np.minimum(away, bar(*_flat(scene), start, end))
    return away


def _tinged(albedo: Floats, alpha: Floats, use: Use, rng: Rng) -> Floats:
    """The colours with a tinge added, as strong as the contrast drawn."""
    tinge = np.array(TINGES[pick(rng, use.tinges)]) * between(rng, use.contrast)
    return albedo + alpha[..., None] * tinge


DEFECTS: dict[str, Callable[[Scene, Floats, Floats, Use, Rng], Worn]] = {
    function.__name__: function
    for function in (scratch, stain, hole, crack, dent, missing, misplaced, smear, thread, tint)
}
