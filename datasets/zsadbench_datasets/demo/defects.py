"""The kinds of defect: each changes the surface of a scene within a region and returns that region.

The mask of a defect is the set of pixels in which the image differs from the same scene without the defect: outside
the region no pixel changes, inside it every pixel changes by at least `MIN_CHANGE` grey levels in some channel.
"""

from collections.abc import Callable
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench_datasets.demo.colours import TINGES
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
    random_pixel,
    shifted,
    smooth,
    wave,
    whole,
)
from zsadbench_datasets.demo.families import SetName
from zsadbench_datasets.demo.kinds import DefectParameters, Kind
from zsadbench_datasets.demo.outlines import bar, box, polygon
from zsadbench_datasets.demo.scenes import Scene

MIN_CHANGE = 4  # grey levels by which every pixel of a mask differs
SMALLEST, LARGEST = 4, 0.2  # least pixels, and largest fraction of the image, of one image's mask
TRIES = 50


class DefectSurface(NamedTuple):
    """A surface with a defect: its colours, its height, and the region of the defect."""

    albedo: Floats
    height: Floats
    region: Bits


class DefectImage(NamedTuple):
    """An image with defects, the same image without them, and the exact mask (0 and 1)."""

    image: Pixels
    clean: Pixels
    mask: Pixels


def add_defects(scene: Scene, kind: Kind, set_name: SetName, rng: Rng) -> DefectImage:
    """Add defects of one kind to a scene, with the parameters of one set.

    The defects are generated again until the mask is between `SMALLEST` and `LARGEST`.
    """
    params, clean, area = kind.by_set[set_name], scene.render(), scene.side * scene.side
    for _ in range(TRIES):
        albedo, height, region = scene.albedo, scene.height, np.zeros(scene.solid.shape, dtype=bool)
        for _ in range(whole(rng, params.count)):
            surface = DEFECTS[kind.name](scene, albedo, height, params, rng)
            albedo, height, region = surface.albedo, surface.height, region | _without_isolated_pixels(surface.region)
        if SMALLEST <= int(region.sum()) <= LARGEST * area:
            return _match_region(clean, scene.render(albedo, height), region)
    raise AssertionError(f"no {kind.name} of a fitting size on {scene.family.name}")


def _without_isolated_pixels(region: Bits) -> Bits:
    """The region without pixels that have no neighbour in it."""
    around = np.zeros(region.shape, dtype=np.int64)
    wide = np.pad(region, 1)
    rows, columns = region.shape
    for down, right in product((0, 1, 2), repeat=2):
        around += wide[down : down + rows, right : right + columns]
    return region & (around > 1)


def _match_region(clean: Pixels, dirty: Pixels, region: Bits) -> DefectImage:
    """Change the image so that it differs from the clean one exactly in the region."""
    change = dirty.astype(np.int64) - clean
    step = MIN_CHANGE if int(change[region].sum()) >= 0 else -MIN_CHANGE
    nudged = clean.astype(np.int64) + step
    nudged = np.where((nudged < 0) | (nudged > 255), clean.astype(np.int64) - step, nudged)
    weak = abs(change).max(axis=2) < MIN_CHANGE
    image = np.where(weak[..., None], nudged, dirty)
    image = np.where(region[..., None], image, clean).astype(np.uint8)
    return DefectImage(image, clean, region.astype(np.uint8))


def scratch(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A thin line, nearly straight, cut into the surface."""
    away = _curve(scene, random_pixel(scene.solid, rng), _size(params, rng), 0.12, rng)
    half = between(rng, params.width) / 2
    alpha = np.clip(0.5 + (half - away) * scene.side, 0, 1)
    region = (alpha > 0.2) & scene.solid
    return DefectSurface(_tint_colours(albedo, alpha, params, rng), height - 1.5 * alpha, region)


def stain(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """An irregular, translucent spot with a soft edge."""
    blob = _blob(scene, random_pixel(scene.solid, rng), _size(params, rng), 0.9, rng)
    alpha = smooth((1 - blob) / between(rng, (0.15, 0.6)))
    region = (alpha > 0.12) & scene.solid
    return DefectSurface(_tint_colours(albedo, np.where(region, alpha, 0), params, rng), height, region)


def hole(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A dark opening with a rim."""
    radius, rim = _size(params, rng), between(rng, params.width)
    away = (_blob(scene, random_pixel(scene.solid, rng), radius, 0.25, rng) - 1) * radius
    depth = np.clip(0.5 - away * scene.side, 0, 1)
    region = (away < rim) & scene.solid
    part = between(rng, params.contrast) / 140
    dark = albedo * (1 - (part * depth)[..., None]) + 18 * (part * depth)[..., None]
    return DefectSurface(dark, height + np.where(region, 2.5 * np.clip(1 - abs(away) / rim, 0, 1) - depth, 0), region)


def crack(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A jagged line that thins out, with a branch."""
    reach, half = _size(params, rng), between(rng, params.width) / 2
    start, heading = random_pixel(scene.solid, rng), rng.random()
    alpha = np.zeros(height.shape)
    for branch in range(2):
        steps = 9 - 4 * branch
        place = start
        for step in range(steps):
            heading += between(rng, (-0.11, 0.11))
            x, y = direction(heading)
            further = (place[0] + x * reach / 9, place[1] + y * reach / 9)
            away = bar(*_pixel_positions(scene), place, further)
            alpha = np.maximum(alpha, np.clip(0.5 + (half * (1 - 0.7 * step / steps) - away) * scene.side, 0, 1))
            start = further if (branch, step) == (0, 3) else start
            place = further
        heading += between(rng, (0.08, 0.2))
    region = (alpha > 0.3) & scene.solid
    return DefectSurface(_tint_colours(albedo, alpha, params, rng), height - alpha, region)


def dent(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A round hollow or bump, visible by the shading of its slopes."""
    radius = _size(params, rng)
    blob = _blob(scene, random_pixel(scene.solid, rng), radius, 0.3, rng)
    inside = np.clip(1 - blob * blob, 0, 1)
    steep = between(rng, params.contrast) / 100 * radius * 128 / max(0.1, 1.5 * scene.family.relief)
    region = (blob < 0.97) & scene.solid
    sign = -1 if pick(rng, params.tinges) == "dark" else 1
    return DefectSurface(albedo, height + sign * steep * inside * inside, region)


def flake(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """An angular piece of the surface that has come off, down to a layer of one other colour."""
    place, radius = random_pixel(scene.solid, rng), _size(params, rng)
    x, y = _pixel_positions(scene)
    corners = [(direction((i + 0.7 * rng.random()) / 7), radius * between(rng, (0.55, 1))) for i in range(7)]
    points = [(place[0] + reach * c, place[1] + reach * s) for (c, s), reach in corners]
    region = (polygon(Plane(x, y, 1 / scene.side), points) < 0) & scene.solid
    under = _tint_colours(np.broadcast_to(scene.surface_colour, albedo.shape), np.ones(height.shape), params, rng)
    return DefectSurface(np.where(region[..., None], under, albedo), height - 1.5 * region, region)


def missing(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A piece broken off at the edge of an object, which shows the background."""
    edge = (scene.body > 0.2) & (scene.body < 0.8)
    blob = _blob(scene, random_pixel(edge, rng), _size(params, rng), 0.6, rng)
    region = (blob < 1) & (scene.body > 0.1)
    return DefectSurface(np.where(region[..., None], scene.background, albedo), np.where(region, 0, height), region)


def misplaced(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A rectangle filled with another part of the same surface, reduced and rotated by a quarter turn."""
    place, source, size = random_pixel(scene.solid, rng), random_pixel(scene.solid, rng), _size(params, rng)
    x, y = _pixel_positions(scene)
    c, s = direction(between(rng, (-0.06, 0.06)))
    turned = Plane(c * (x - place[0]) + s * (y - place[1]), c * (y - place[1]) - s * (x - place[0]), 1 / scene.side)
    region = (box(turned, (0, 0), (size, size * between(rng, (0.5, 0.9))), 0.02) < 0) & scene.solid
    shrunk = between(rng, (1.5, 2.2))
    column = _pixel(source[0] + (y - place[1]) * shrunk, scene.side)
    row = _pixel(source[1] - (x - place[0]) * shrunk, scene.side)
    return DefectSurface(
        np.where(region[..., None], scene.albedo[row, column], albedo),
        np.where(region, scene.height[row, column], height),
        region,
    )


def smear(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A region blurred along one direction until its pattern is gone."""
    region = (_blob(scene, random_pixel(scene.solid, rng), _size(params, rng), 0.5, rng) < 1) & scene.solid
    (x, y), reach = direction(rng.random()), between(rng, params.width)
    colours, heights, steps = np.zeros(albedo.shape), np.zeros(height.shape), 9
    for step in range(steps):
        along = (step / (steps - 1) - 0.5) * 2 * reach * scene.side
        down, right = int(np.floor(y * along + 0.5)), int(np.floor(x * along + 0.5))
        colours = colours + shifted(albedo, down, right) / steps
        heights = heights + shifted(height, down, right) / steps
    return DefectSurface(np.where(region[..., None], colours, albedo), np.where(region, heights, height), region)


def thread(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A long curled fibre of another colour on the surface."""
    away = _curve(scene, random_pixel(scene.solid, rng), _size(params, rng), 0.5, rng)
    half = between(rng, params.width) / 2
    alpha = np.clip(0.5 + (half - away) * scene.side, 0, 1)
    return DefectSurface(_tint_colours(albedo, alpha, params, rng), height + 1.2 * alpha, alpha > 0.2)


def tint(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A region of another hue; its pattern and light are unchanged."""
    region = (_blob(scene, random_pixel(scene.solid, rng), _size(params, rng), 0.5, rng) < 1) & scene.solid
    return DefectSurface(_tint_colours(albedo, region.astype(np.float64), params, rng), height, region)


def scuff(scene: Scene, albedo: Floats, height: Floats, params: DefectParameters, rng: Rng) -> DefectSurface:
    """A patch of many fine parallel lines, rubbed into the surface."""
    place, size = random_pixel(scene.solid, rng), _size(params, rng)
    (x, y), half = direction(rng.random()), between(rng, params.width) / 2
    away = np.full(height.shape, 9.0)
    for _ in range(whole(rng, (5, 9))):
        aside, along, reach = (size * between(rng, bounds) for bounds in ((-0.7, 0.7), (-0.3, 0.3), (0.4, 1)))
        middle = (place[0] - y * aside + x * along, place[1] + x * aside + y * along)
        start, end = ((middle[0] + sign * reach * x, middle[1] + sign * reach * y) for sign in (-1, 1))
        away = np.minimum(away, bar(*_pixel_positions(scene), start, end))
    alpha = np.clip(0.5 + (half - away) * scene.side, 0, 1)
    region = (alpha > 0.2) & scene.solid
    return DefectSurface(_tint_colours(albedo, alpha, params, rng), height - 0.5 * alpha, region)


def _size(params: DefectParameters, rng: Rng) -> float:
    """A random length; small lengths are more frequent."""
    part = rng.random()
    return params.length[0] + (params.length[1] - params.length[0]) * part * part


def _pixel_positions(scene: Scene) -> tuple[Floats, Floats]:
    """The x and y of all pixels, in units of the side, relative to the middle."""
    return plane(scene.side)[:2]


def _pixel(position: Floats, side: int) -> NDArray[np.int64]:
    """The row or column of a position; positions outside the image are mirrored into it."""
    index = np.floor((position + 0.5) * side).astype(np.int64) % (2 * side)
    return np.minimum(index, 2 * side - 1 - index)


def _blob(scene: Scene, centre: tuple[float, float], radius: float, rough: float, rng: Rng) -> Floats:
    """An irregular round shape: 0 in the middle, 1 on its outline."""
    x, y = _pixel_positions(scene)
    c, s = direction(rng.random())
    across, along = c * (x - centre[0]) + s * (y - centre[1]), c * (y - centre[1]) - s * (x - centre[0])
    narrow = between(rng, (1, 1.6))
    uneven = cloud(rng, x / radius * 1.5 + 9, y / radius * 1.5 + 9, 2) - 0.5
    return length(across * narrow, along) / radius + rough * uneven


def _curve(scene: Scene, middle: tuple[float, float], reach: float, bend: float, rng: Rng) -> Floats:
    """The distance to a bent line of about the length `reach`."""
    x, y = direction(rng.random())
    bow, phase, curl = between(rng, (-bend, bend)), rng.random(), between(rng, (0.3, 0.9))
    points = []
    for step in range(11):
        along = step / 10 - 0.5
        aside = bow * (wave(along * curl + phase) - wave(phase)) * 0.6
        points.append((middle[0] + reach * (x * along - y * aside), middle[1] + reach * (y * along + x * aside)))
    away = np.full((scene.side, scene.side), 9.0)
    for start, end in pairwise(points):
        away = np.minimum(away, bar(*_pixel_positions(scene), start, end))
    return away


def _tint_colours(albedo: Floats, alpha: Floats, params: DefectParameters, rng: Rng) -> Floats:
    """Add a random tinge, with a random contrast, to the colours."""
    tinge = np.array(TINGES[pick(rng, params.tinges)]) * between(rng, params.contrast)
    return albedo + alpha[..., None] * tinge


DEFECTS: dict[str, Callable[[Scene, Floats, Floats, DefectParameters, Rng], DefectSurface]] = {
    function.__name__: function
    for function in (scratch, stain, hole, crack, dent, flake, missing, misplaced, smear, thread, tint, scuff)
}
