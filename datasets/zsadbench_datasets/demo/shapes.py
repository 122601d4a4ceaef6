"""Object shapes: each computes outline, second colour and height on a plane in which the object spans −1 to 1.

An outline is a signed distance, negative inside. Colours and light are added in `scenes`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zsadbench_datasets.demo.exact import Floats, Plane, Rng, between, cloud, direction, fold, length, smooth

Point = tuple[float, float]


class ObjectShape(NamedTuple):
    """The outline of an object, and for each pixel the share of its second colour and its height."""

    outline: Floats
    mix: Floats
    height: Floats


def circle(plane: Plane, centre: Point, radius: float) -> Floats:
    """The distance to a circle."""
    return length(plane.x - centre[0], plane.y - centre[1]) - radius


def box(plane: Plane, centre: Point, half: Point, corner: float = 0) -> Floats:
    """The distance to a rectangle with rounded corners."""
    x = abs(plane.x - centre[0]) - half[0] + corner
    y = abs(plane.y - centre[1]) - half[1] + corner
    outside = length(np.maximum(x, 0), np.maximum(y, 0))
    return outside + np.minimum(np.maximum(x, y), 0) - corner


def bar(x: Floats, y: Floats, start: Point, end: Point) -> Floats:
    """The distance to a straight line from one point to another."""
    along = (end[0] - start[0], end[1] - start[1])
    square = along[0] * along[0] + along[1] * along[1]
    part = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(square, 1e-12), 0, 1)
    return length(x - start[0] - part * along[0], y - start[1] - part * along[1])


def polygon(plane: Plane, points: Sequence[Point]) -> Floats:
    """The distance to a polygon of any form."""
    away = np.full(plane.x.shape, 9.0)
    inside = np.zeros(plane.x.shape, dtype=bool)
    for start, end in zip(points, (*points[1:], points[0]), strict=True):
        away = np.minimum(away, bar(plane.x, plane.y, start, end))
        between_them = (start[1] > plane.y) != (end[1] > plane.y)
        rise = end[1] - start[1]
        crossing = start[0] + (plane.y - start[1]) / (rise or 1.0) * (end[0] - start[0])
        inside ^= between_them & (plane.x < crossing)
    return np.where(inside, -away, away)


def _rounded(outline: Floats, edge: float) -> Floats:
    """The height of a flat object whose edge is rounded over the width `edge`."""
    return edge * smooth(-outline / edge)


def _rays(count: int, radii: Sequence[float]) -> list[Point]:
    places = [(radii[i % len(radii)], direction(i / count - 0.25)) for i in range(count)]
    return [(radius * x, radius * y) for radius, (x, y) in places]


def disc(plane: Plane, rng: Rng) -> ObjectShape:
    """A round plate with a raised rim."""
    rim, outline = between(rng, (0.1, 0.25)), circle(plane, (0, 0), 0.98)
    inner = plane.cover(outline + rim)
    return ObjectShape(outline, inner, _rounded(outline, 0.12) - 0.06 * inner)


def ring(plane: Plane, rng: Rng) -> ObjectShape:
    """A round ring, thick or thin."""
    width = between(rng, (0.18, 0.34))
    outline = abs(circle(plane, (0, 0), 0.96 - width)) - width
    return ObjectShape(outline, 0 * outline, _rounded(outline, width))


def block(plane: Plane, rng: Rng) -> ObjectShape:
    """A rectangular block with the grain of wood."""
    outline = box(plane, (0, 0), (0.92, between(rng, (0.6, 0.92))), 0.05)
    grain = cloud(rng, plane.x * 1.5, plane.y * 9, 3)
    return ObjectShape(outline, grain * 0.7, _rounded(outline, 0.12))


def wedge(plane: Plane, rng: Rng) -> ObjectShape:
    """A triangle with a flat middle."""
    tip = between(rng, (-0.5, 0.5))
    outline = polygon(plane, [(tip, -0.9), (0.92, 0.75), (-0.92, 0.75)])
    return ObjectShape(outline, 0.4 * plane.cover(outline + 0.2), _rounded(outline, 0.18))


def star(plane: Plane, rng: Rng) -> ObjectShape:
    """A star of five to eight points."""
    points = 5 + int(rng.random() * 4)
    outline = polygon(plane, _rays(2 * points, (0.98, between(rng, (0.45, 0.62)))))
    return ObjectShape(outline, 0.3 * smooth(-outline / 0.3), _rounded(outline, 0.3))


def cross(plane: Plane, rng: Rng) -> ObjectShape:
    """Two bars across each other."""
    width = between(rng, (0.2, 0.36))
    outline = np.minimum(box(plane, (0, 0), (0.96, width), 0.06), box(plane, (0, 0), (width, 0.96), 0.06))
    return ObjectShape(outline, plane.cover(box(plane, (0, 0), (width, width))), _rounded(outline, 0.1))


def nut(plane: Plane, rng: Rng) -> ObjectShape:
    """A hexagon with a round hole."""
    outline = polygon(plane, _rays(6, (0.97,)))
    outline = np.maximum(outline, -circle(plane, (0, 0), between(rng, (0.35, 0.52))))
    return ObjectShape(outline, 0 * outline, _rounded(outline, 0.1))


def crescent(plane: Plane, rng: Rng) -> ObjectShape:
    """A disc with a disc taken away."""
    aside = between(rng, (0.35, 0.6))
    outline = np.maximum(circle(plane, (0, 0), 0.95), -circle(plane, (aside, 0), 0.78))
    return ObjectShape(outline, 0 * outline, _rounded(outline, 0.15))


def drop(plane: Plane, rng: Rng) -> ObjectShape:
    """A round end and a pointed one."""
    end = between(rng, (0.45, 0.6))
    cone = (0.85 + plane.y) / 1.2 * end
    outline = np.where(plane.y > 0.35, circle(plane, (0, 0.35), end), abs(plane.x) - cone)
    outline = np.where(plane.y < -0.85, length(plane.x, plane.y + 0.85), outline)
    return ObjectShape(outline, 0.6 * plane.cover(circle(plane, (-0.15, 0.2), 0.16)), _rounded(outline, 0.4))


def rod(plane: Plane, rng: Rng) -> ObjectShape:
    """A straight rod with bands."""
    width = between(rng, (0.16, 0.3))
    outline = bar(plane.x, plane.y, (-0.95 + width, 0), (0.95 - width, 0)) - width
    return ObjectShape(outline, plane.cover(fold(plane.x * between(rng, (1, 3))) - 0.12), _rounded(outline, width))


def gear(plane: Plane, rng: Rng) -> ObjectShape:
    """A toothed wheel with a hub, an axle hole and four windows."""
    outline = circle(plane, (0, 0), 0.8)
    for tooth in range(14):
        c, s = direction(tooth / 14)
        turned = Plane(c * plane.x + s * plane.y, c * plane.y - s * plane.x, plane.step)
        outline = np.minimum(outline, box(turned, (0.84, 0), (0.14, 0.085), 0.03))
    for window in range(4):
        c, s = direction(window / 4 + 0.125)
        outline = np.maximum(outline, -circle(plane, (0.48 * c, 0.48 * s), 0.15))
    outline = np.maximum(outline, -circle(plane, (0, 0), 0.13))
    hub = plane.cover(circle(plane, (0, 0), 0.28))
    brushed = cloud(rng, length(plane.x, plane.y) * 14, 0 * plane.x, 2)
    return ObjectShape(outline, 0.35 * brushed + 0.5 * hub, _rounded(outline, 0.08) + 0.06 * hub)


def spoon(plane: Plane, rng: Rng) -> ObjectShape:
    """A bowl and a handle, of wood."""
    wide = 1.45
    bowl = length(plane.x * wide, plane.y + 0.5) - 0.48
    handle = bar(plane.x, plane.y, (0, -0.1), (0, 0.86)) - 0.085 - 0.03 * np.clip(plane.y, 0, 1)
    outline = np.minimum(bowl / wide, handle)
    hollow = smooth(-(bowl + 0.1) / 0.25)
    grain = cloud(rng, plane.x * 11, plane.y * 1.3, 3)
    return ObjectShape(outline, 0.6 * grain + 0.25 * hollow, _rounded(outline, 0.09) - 0.2 * hollow)


def bracket(plane: Plane, rng: Rng) -> ObjectShape:
    """Two flat legs at a right angle, with screw holes and a slot."""
    upright, foot = box(plane, (-0.6, 0), (0.3, 0.92), 0.12), box(plane, (0.05, 0.62), (0.92, 0.3), 0.12)
    web = polygon(plane, [(-0.35, -0.25), (0.35, 0.4), (-0.35, 0.4)])
    outline = np.minimum(np.minimum(upright, foot), web)
    holes = [circle(plane, centre, 0.12) for centre in ((-0.6, -0.62), (0.68, 0.62), (-0.6, 0.62))]
    holes.append(box(plane, (-0.6, -0.1), (0.09, 0.24), 0.09))
    sunk = np.full(plane.x.shape, 9.0)
    for hole in holes:
        outline, sunk = np.maximum(outline, -hole), np.minimum(sunk, hole)
    brushed = cloud(rng, plane.x * 2, plane.y * 16, 2)
    ringed = plane.cover(sunk - 0.07)
    return ObjectShape(outline, 0.55 * brushed + 0.4 * ringed, _rounded(outline, 0.06) - 0.05 * ringed)


def padlock(plane: Plane, rng: Rng) -> ObjectShape:
    """A body with a keyhole and bevels, and a shackle of steel."""
    body = box(plane, (0, 0.38), (0.66, 0.56), 0.14)
    arch = abs(circle(plane, (0, -0.42), 0.42)) - 0.11
    legs = np.maximum(abs(abs(plane.x) - 0.42) - 0.11, abs(plane.y + 0.2) - 0.22)
    shackle = np.minimum(np.where(plane.y < -0.42, arch, 9.0), legs)
    outline = np.minimum(body, shackle)
    keyhole = np.minimum(circle(plane, (0, 0.3), 0.12), box(plane, (0, 0.48), (0.05, 0.16), 0.03))
    steel = plane.cover(-body) * plane.cover(shackle)
    band = plane.cover(abs(plane.y - 0.02) - 0.03) + plane.cover(abs(plane.y - 0.8) - 0.03)
    dull = cloud(rng, plane.x * 4, plane.y * 4, 3)
    brass = 0.22 * dull + 0.2 * band
    key = plane.cover(keyhole)
    height = np.where(body < 0, _rounded(body, 0.14), _rounded(shackle, 0.11)) - 0.14 * key - 0.03 * band
    return ObjectShape(outline, np.clip(np.maximum(brass, steel), 0, 1), height)


SHAPES: dict[str, Callable[[Plane, Rng], ObjectShape]] = {
    function.__name__: function
    for function in (
        *(disc, ring, block, wedge, star, cross, nut, crescent, drop, rod),
        *(gear, spoon, bracket, padlock),
    )
}
