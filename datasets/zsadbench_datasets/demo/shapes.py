"""Object shapes: each computes outline, second colour and height on a plane in which the object spans −1 to 1.

An outline is a signed distance, negative inside; `outlines` has the simple ones. Colours and light are added in
`scenes`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zsadbench_datasets.demo.exact import Floats, Plane, Rng, between, cloud, direction, fold, length, smooth
from zsadbench_datasets.demo.outlines import bar, box, circle, polygon, rays


class ObjectShape(NamedTuple):
    """The outline of an object, and for each pixel the share of its second colour and its height."""

    outline: Floats
    mix: Floats
    height: Floats


def _rounded(outline: Floats, edge: float) -> Floats:
    """The height of a flat object whose edge is rounded over the width `edge`."""
    return edge * smooth(-outline / edge)


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
    outline = polygon(plane, rays(2 * points, (0.98, between(rng, (0.45, 0.62)))))
    return ObjectShape(outline, 0.3 * smooth(-outline / 0.3), _rounded(outline, 0.3))


def cross(plane: Plane, rng: Rng) -> ObjectShape:
    """Two bars across each other."""
    width = between(rng, (0.2, 0.36))
    outline = np.minimum(box(plane, (0, 0), (0.96, width), 0.06), box(plane, (0, 0), (width, 0.96), 0.06))
    return ObjectShape(outline, plane.cover(box(plane, (0, 0), (width, width))), _rounded(outline, 0.1))


def nut(plane: Plane, rng: Rng) -> ObjectShape:
    """A hexagon with a round hole."""
    outline = polygon(plane, rays(6, (0.97,)))
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


def key(plane: Plane, rng: Rng) -> ObjectShape:
    """A round bow with a hole, a stem and teeth."""
    bow = np.maximum(circle(plane, (-0.62, 0), 0.34), -circle(plane, (-0.7, 0), 0.13))
    outline = np.minimum(bow, box(plane, (0.3, 0), (0.66, 0.08), 0.03))
    for x, depth in ((0.55, 0.13), (0.72, 0.2), (0.88, 0.11)):
        outline = np.minimum(outline, box(plane, (x, 0.06 + depth / 2), (0.05, 0.04 + depth / 2), 0.01))
    worn = cloud(rng, plane.x * 5, plane.y * 5, 3)
    ringed = plane.cover(abs(circle(plane, (-0.62, 0), 0.26)) - 0.025)
    return ObjectShape(outline, np.clip(0.5 * worn + 0.4 * ringed, 0, 1), _rounded(outline, 0.07) - 0.03 * ringed)


def bottle(plane: Plane, rng: Rng) -> ObjectShape:
    """A body with shoulders, a neck and a cap, and a highlight along it."""
    outline = np.minimum(box(plane, (0, 0.35), (0.42, 0.6), 0.16), box(plane, (0, -0.5), (0.15, 0.4), 0.05))
    outline = np.minimum(outline, polygon(plane, [(-0.15, -0.45), (0.15, -0.45), (0.38, -0.1), (-0.38, -0.1)]))
    cap = plane.cover(box(plane, (0, -0.82), (0.16, 0.1), 0.02))
    shine = smooth(1 - abs(plane.x + 0.24) / 0.1) * smooth((plane.y + 0.1) / 0.2)
    cloudy = cloud(rng, plane.x * 2, plane.y * 2, 2)
    return ObjectShape(outline, np.clip(0.15 * cloudy + 0.45 * shine + 0.6 * cap, 0, 1), _rounded(outline, 0.3))


def hinge(plane: Plane, rng: Rng) -> ObjectShape:
    """Two leaves with screw holes, and the knuckles of a barrel between them."""
    outline = np.minimum(box(plane, (-0.5, 0), (0.42, 0.9), 0.06), box(plane, (0.5, 0), (0.42, 0.9), 0.06))
    barrel = box(plane, (0, 0), (0.13, 0.94), 0.04)
    sunk = np.full(plane.x.shape, 9.0)
    for x in (-0.56, 0.56):
        for y in (-0.6, 0, 0.6):
            sunk = np.minimum(sunk, circle(plane, (x, y), 0.13))
    outline = np.minimum(np.maximum(outline, -(sunk + 0.05)), barrel)
    knuckle = plane.cover(fold(plane.y * 2.5) / 2.5 - 0.018) * plane.cover(barrel)
    brushed, round_height = cloud(rng, plane.x * 14, plane.y * 2, 2), np.clip(-barrel, 0, 0.13) * 1.4
    mix = np.clip(0.4 * brushed + 0.35 * plane.cover(barrel) - 0.6 * knuckle, 0, 1)
    return ObjectShape(outline, mix, _rounded(outline, 0.06) - 0.05 * plane.cover(sunk) + round_height)


def plug(plane: Plane, rng: Rng) -> ObjectShape:
    """A moulded body with grooves, two pins and the beginning of a cable."""
    body = polygon(plane, [(-0.55, -0.3), (0.55, -0.3), (0.42, 0.5), (-0.42, 0.5)]) - 0.1
    pins = np.minimum(box(plane, (-0.3, -0.66), (0.08, 0.3), 0.05), box(plane, (0.3, -0.66), (0.08, 0.3), 0.05))
    cable = box(plane, (0, 0.76), (0.12, 0.22), 0.03)
    outline = np.minimum(np.minimum(body, pins), cable)
    metal = plane.cover(pins) * plane.cover(-body)
    groove = plane.cover(fold(plane.y * 6) / 6 - 0.022) * plane.cover(abs(plane.x) - 0.34) * plane.cover(body + 0.12)
    dull = cloud(rng, plane.x * 3, plane.y * 3, 2)
    height = np.where(body < 0, _rounded(body, 0.2), _rounded(outline, 0.08)) - 0.05 * groove
    return ObjectShape(outline, np.clip(0.12 * dull + metal + 0.25 * groove, 0, 1), height)


def fork(plane: Plane, rng: Rng) -> ObjectShape:
    """Four tines, a neck and a widening handle."""
    handle = bar(plane.x, plane.y, (0, 0.1), (0, 0.84)) - 0.07 - 0.06 * np.clip(plane.y, 0, 1)
    outline = np.minimum(handle, box(plane, (0, -0.16), (0.34, 0.2), 0.16))
    for tine in range(4):
        outline = np.minimum(outline, box(plane, ((tine - 1.5) * 0.19, -0.6), (0.055, 0.36), 0.05))
    brushed = cloud(rng, plane.x * 13, plane.y * 1.6, 2)
    line = plane.cover(abs(abs(plane.x) - 0.05) - 0.012) * plane.cover(0.3 - plane.y) * plane.cover(plane.y - 0.8)
    return ObjectShape(outline, np.clip(0.5 * brushed - 0.4 * line, 0, 1), _rounded(outline, 0.07) - 0.03 * line)


SHAPES: dict[str, Callable[[Plane, Rng], ObjectShape]] = {
    function.__name__: function
    for function in (
        *(disc, ring, block, wedge, star, cross, nut, crescent, drop, rod),
        *(gear, spoon, key, bottle, hinge, plug, fork),
    )
}
