"""Colours and markers of methods: twenty of each, the same for a method in every drawing of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

COUNT = 20
Points = tuple[tuple[float, float], ...]


def _star(corners: int, inner: float = 1.0, turn: float = 0.0) -> Points:
    """A regular polygon or, with `inner` < 1, a star, in the unit circle; one corner is up before the turn."""
    count = corners if inner == 1.0 else 2 * corners
    angles = [math.radians(90 + turn + 360 * number / count) for number in range(count)]
    radii = [1.0 if inner == 1.0 or number % 2 == 0 else inner for number in range(count)]
    return tuple((round(r * math.cos(a), 2), round(r * math.sin(a), 2)) for r, a in zip(radii, angles, strict=True))


def _plus(width: float, turn: float) -> Points:
    """A plus whose bars are `2 * width` thick, turned by `turn` degrees."""
    w, angle = width, math.radians(turn)
    corners = [
        (-w, 1),
        (w, 1),
        (w, w),
        (1, w),
        (1, -w),
        (w, -w),
        (w, -1),
        (-w, -1),
        (-w, -w),
        (-1, -w),
        (-1, w),
        (-w, w),
    ]
    cos, sin = math.cos(angle), math.sin(angle)
    return tuple((round(x * cos - y * sin, 2), round(x * sin + y * cos, 2)) for x, y in corners)


MARKERS: tuple[Points, ...] = (
    _star(24),
    _star(4, turn=45),
    _star(3),
    _star(4),
    _star(3, turn=180),
    _plus(0.33, 0),
    _star(5, 0.42),
    _plus(0.33, 45),
    _star(5),
    _star(3, turn=90),
    _star(3, turn=-90),
    _star(6),
    _star(4, 0.36),
    ((-1, 0.8), (0, 0.1), (1, 0.8), (1, -0.8), (0, -0.1), (-1, -0.8)),
    ((-0.8, 1), (0.8, 1), (0.1, 0), (0.8, -1), (-0.8, -1), (-0.1, 0)),
    ((0, 1), (0.5, 0), (0, -1), (-0.5, 0)),
    ((0, 0.5), (1, 0), (0, -0.5), (-1, 0)),
    ((-1, -0.1), (0, 0.9), (1, -0.1), (1, -0.8), (0, 0.2), (-1, -0.8)),
    _star(6, 0.5),
    ((-1, 0.4), (1, 0.4), (1, -0.4), (-1, -0.4)),
)
PATHS = ["M" + "L".join(f"{x:g} {-y:g}" for x, y in marker) + "Z" for marker in MARKERS]  # y down, as in SVG


class Style(NamedTuple):
    """How an entry is drawn: number of its colour and marker, from 0, and its name for readers."""

    number: int
    label: str


Series = Mapping[tuple[str, str], Style]  # kind of the numbers and name of the entry → style


def series_of(groups: Sequence[Mapping[str, Any]]) -> Series:
    """The style of every entry of the `groups` of the payload: measured ones first, each in the order of the groups."""
    labels = {(group["kind"], row["name"]): row.get("label", row["name"]) for group in groups for row in group["rows"]}
    return {name: Style(number, label) for number, (name, label) in enumerate(labels.items())}
