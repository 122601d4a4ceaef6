"""Benign marks: stickers, rivets and prints, which normal and anomalous images carry alike.

They are part of the scene, so that no mask ever covers them: what is uncommon is not always a defect.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zsadbench_datasets.demo.colours import COLOURS
from zsadbench_datasets.demo.exact import (
    Bits,
    Floats,
    Plane,
    Rng,
    between,
    direction,
    length,
    pick,
    plane,
    random_pixel,
    whole,
)
from zsadbench_datasets.demo.outlines import box

SHARE = 0.6  # fraction of the images that have marks
MARK_WORDS = {"sticker": ("sticker", "label"), "rivet": ("rivet", "rivet head"), "print": ("print", "printed text")}


class Marked(NamedTuple):
    """A surface with marks of one kind, or none: its colours, its height, and the region of the marks."""

    albedo: Floats
    height: Floats
    region: Bits
    name: str | None


def add_marks(albedo: Floats, height: Floats, solid: Bits, tones: tuple[str, str], rng: Rng) -> Marked:
    """Add marks of a random kind to a surface, or none, within the solid pixels of the object or texture."""
    region = np.zeros(solid.shape, dtype=bool)
    if rng.random() >= SHARE:
        return Marked(albedo, height, region, None)
    name = pick(rng, tuple(MARKS))
    colour = np.array(COLOURS[pick(rng, [name for name in COLOURS if name not in tones])], dtype=np.float64)
    turns = pick(rng, (0.0, 0.25, 0.5, 0.75)) + between(rng, (-0.04, 0.04))
    for _ in range(whole(rng, MOST[name])):
        alpha, paint, raised = MARKS[name](_around(random_pixel(solid, rng), turns, solid.shape[0]), colour, rng)
        alpha = np.where(solid, alpha, 0)
        albedo = albedo + alpha[..., None] * (paint - albedo)
        height = height + alpha * raised
        region |= alpha > 0.2
    return Marked(albedo, height, region, name)


def _around(place: tuple[float, float], turns: float, side: int) -> Plane:
    """The plane of a mark: its middle at `place`, turned, in units of the image's side."""
    x, y, step = plane(side)
    c, s = direction(turns)
    return Plane(c * (x - place[0]) + s * (y - place[1]), c * (y - place[1]) - s * (x - place[0]), step)


def _sticker(drawing: Plane, colour: Floats, rng: Rng) -> tuple[Floats, Floats, Floats]:
    """A rectangle of paper of one colour with a darker frame."""
    half = (between(rng, (0.05, 0.11)), between(rng, (0.035, 0.07)))
    outline = box(drawing, (0, 0), half, 0.012)
    frame = drawing.cover(abs(outline + 0.016) - 0.006)
    return drawing.cover(outline), colour * (1 - 0.4 * frame)[..., None], 0.6 + 0 * outline


def _rivet(drawing: Plane, colour: Floats, rng: Rng) -> tuple[Floats, Floats, Floats]:
    """A round metal head."""
    radius = between(rng, (0.025, 0.045))
    away = length(drawing.x, drawing.y) / radius
    metal = np.array(COLOURS["silver"]) * 0.85 + 0.15 * colour
    round_height = 3.2 * np.sqrt(np.maximum(1 - away * away, 0))
    return drawing.cover((away - 1) * radius), np.broadcast_to(metal, (*away.shape, 3)), round_height


def _print(drawing: Plane, colour: Floats, rng: Rng) -> tuple[Floats, Floats, Floats]:
    """A row of letters, each of upright and level strokes."""
    letters, size = whole(rng, (3, 6)), between(rng, (0.022, 0.034))
    inked = np.full(drawing.x.shape, 9.0)
    for number in range(letters):
        left = (number - letters / 2) * size * 2
        for middle, half in _STROKES:
            if rng.random() < 0.6:
                at = (left + size * (0.75 + middle[0]), size * middle[1])
                inked = np.minimum(inked, box(drawing, at, (size * half[0], size * half[1])))
    return drawing.cover(inked) * 0.9, np.broadcast_to(colour, (*inked.shape, 3)), 0 * inked


_STROKES = (
    *(((-0.5, 0.0), (0.13, 1.0)), ((0.5, 0.0), (0.13, 1.0))),
    *(((0.0, -0.9), (0.6, 0.13)), ((0.0, 0.0), (0.6, 0.13)), ((0.0, 0.9), (0.6, 0.13))),
)
MOST = {"sticker": (1, 2), "rivet": (1, 4), "print": (1, 2)}  # least and most marks per image
MARKS: dict[str, Callable[[Plane, Floats, Rng], tuple[Floats, Floats, Floats]]] = {
    "sticker": _sticker,
    "rivet": _rivet,
    "print": _print,
}
