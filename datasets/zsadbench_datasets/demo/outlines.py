"""Outlines as signed distances, negative inside."""

from collections.abc import Sequence

import numpy as np

from zsadbench_datasets.demo.exact import Floats, Plane, direction, length

Point = tuple[float, float]


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


def rays(count: int, radii: Sequence[float]) -> list[Point]:
    """The corners of a star or polygon: `count` points around the middle, whose distances repeat `radii`."""
    places = [(radii[i % len(radii)], direction(i / count - 0.25)) for i in range(count)]
    return [(radius * x, radius * y) for radius, (x, y) in places]
