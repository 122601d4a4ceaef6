"""Make a scene of a family, with everything that varies between good images: position, colour, light, noise.

A scene stores surface, light and noise separately, so that an image with a defect has the same light and noise as the
image without it.
"""

from dataclasses import dataclass

import numpy as np

from zsadbench_datasets.demo.colours import COLOURS
from zsadbench_datasets.demo.exact import (
    Bits,
    Floats,
    Pixels,
    Plane,
    Rng,
    bell,
    between,
    cloud,
    direction,
    pick,
    plane,
    shifted,
    smooth,
)
from zsadbench_datasets.demo.families import Family
from zsadbench_datasets.demo.marks import add_marks
from zsadbench_datasets.demo.shapes import SHAPES, ObjectShape
from zsadbench_datasets.demo.textures import TEXTURES

REFERENCE = 128  # the side at which the steepness of relief is stated


@dataclass(frozen=True)
class Scene:
    """The parts of one good image. Arrays are (side, side) or (side, side, 3); colours are 0 to 255.

    Attributes:
        family: the texture or object.
        tones: the names of its main and second colour.
        albedo: the colour of the surface without light.
        height: its relief, in pixels of an image with a side of 128.
        body: the fraction of each pixel that the object covers; 1 everywhere on a texture.
        background: the colour where there is no object.
        light: the brightness, a factor.
        light_direction: the direction of the light, times the strength of the relief.
        noise: the noise, added last.
        ground: the name of the background's colour; None on a texture.
        mark: the kind of its benign marks, or None.
        marked: the pixels of the marks.
        surface_colour: the mean of its two colours, (3,).
    """

    family: Family
    tones: tuple[str, str]
    albedo: Floats
    height: Floats
    body: Floats
    background: Floats
    light: Floats
    light_direction: tuple[float, float]
    noise: Floats
    ground: str | None
    mark: str | None
    marked: Bits
    surface_colour: Floats

    @property
    def side(self) -> int:
        """Pixels per side."""
        return int(self.height.shape[0])

    @property
    def solid(self) -> Bits:
        """Pixels that the object or the texture covers completely."""
        return self.body >= 1

    def render(self, albedo: Floats | None = None, height: Floats | None = None) -> Pixels:
        """Render the scene, or the same scene with another surface; uint8 (side, side, 3)."""
        albedo = self.albedo if albedo is None else albedo
        height = self.height if height is None else height
        slope_x = (shifted(height, 0, -1) - shifted(height, 0, 1)) / 2
        slope_y = (shifted(height, -1, 0) - shifted(height, 1, 0)) / 2
        steepness = (self.light_direction[0] * slope_x + self.light_direction[1] * slope_y) * (self.side / REFERENCE)
        shade = np.clip(1 + steepness, 0.35, 1.6) * self.light
        return np.clip(np.floor(albedo * shade[..., None] + self.noise + 0.5), 0, 255).astype(np.uint8)


def make_scene(family: Family, rng: Rng, side: int) -> Scene:
    """Make the scene of a good image of a family; nothing in it depends on whether a defect is added later."""
    tones = pick(rng, family.tones)
    main, second = (_dyed(rng, tone) for tone in tones)
    ground = pick(rng, [name for name in family.grounds if name not in tones]) if family.grounds else None
    background = _background(ground, rng, side)
    drawing = _plane(family, rng, side)
    if family.material == "texture":
        mix, height = TEXTURES[family.name](drawing, rng)
        body, scale = np.ones((side, side)), REFERENCE / (drawing.step * side)
    else:
        thing = SHAPES[family.name](drawing, rng)
        mix, height, body = thing.mix, thing.height, drawing.cover(thing.outline)
        height, scale = height * body, REFERENCE / 2 * family.scale[0]
        background = _shadowed(background, thing, side)
    surface = main + np.clip(mix, 0, 1)[..., None] * (second - main)
    surface = surface * (0.94 + 0.12 * _mottle(rng, side))[..., None]
    albedo = background + body[..., None] * (surface - background)
    marked = add_marks(albedo, height * scale, body >= 1, tones, rng)
    return Scene(
        family=family,
        tones=tones,
        albedo=marked.albedo,
        height=marked.height,
        body=body,
        background=background,
        light=_light(rng, side),
        light_direction=_light_direction(family, rng),
        noise=bell(rng, (side, side, 3)) * between(rng, (1.5, 4)),
        ground=ground,
        mark=marked.name,
        marked=marked.region,
        surface_colour=(main + second) / 2,
    )


def _dyed(rng: Rng, tone: str) -> Floats:
    """A named colour with small random changes of brightness and hue."""
    gains = [between(rng, (0.97, 1.03)) for _ in range(3)]
    brightness = between(rng, (0.95, 1.05))
    return np.array([part * gain * brightness for part, gain in zip(COLOURS[tone], gains, strict=True)])


def _plane(family: Family, rng: Rng, side: int) -> Plane:
    turns, scale = between(rng, (-family.turns, family.turns)), between(rng, family.scale)
    if family.material == "texture":
        return plane(side, turns, scale, (between(rng, (0, 29)), between(rng, (0, 29))))
    offset = 0.06 / scale  # largest distance from the middle, in units of half the object's side
    return plane(side, turns, 2 / scale, (between(rng, (-offset, offset)), between(rng, (-offset, offset))))


def _background(ground: str | None, rng: Rng, side: int) -> Floats:
    if ground is None:
        return np.zeros((side, side, 3))
    colour = _dyed(rng, ground)
    flat = plane(side, 0, 6)
    soft = cloud(rng, flat.x + 9, flat.y + 9, 4)
    return colour * (0.9 + 0.2 * soft)[..., None]


def _shadowed(background: Floats, thing: ObjectShape, side: int) -> Floats:
    """The background with a soft shadow to the lower right of the object."""
    away = shifted(thing.outline, side // 32, side // 43)
    return background * (1 - 0.35 * smooth(0.6 - away / 0.16))[..., None]


def _mottle(rng: Rng, side: int) -> Floats:
    flat = plane(side, 0, between(rng, (1.5, 3)))
    return cloud(rng, flat.x + 9, flat.y + 9, 2)


def _light(rng: Rng, side: int) -> Floats:
    """A brightness that increases towards a random side."""
    flat, (x, y) = plane(side), direction(rng.random())
    return between(rng, (0.9, 1.08)) * (1 + between(rng, (0, 0.22)) * (x * flat.x + y * flat.y))


def _light_direction(family: Family, rng: Rng) -> tuple[float, float]:
    x, y = direction(0.125 + between(rng, (-0.03, 0.03)))
    strength = family.relief * between(rng, (0.85, 1.15))
    return x * strength, y * strength
