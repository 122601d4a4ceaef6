"""The pretraining images, generated from the families of `pretraining`, and what each patch of them shows."""

from __future__ import annotations

from multiprocessing import Pool
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsadbench_datasets.demo.defects import add_defects
from zsadbench_datasets.demo.exact import generator, pick
from zsadbench_datasets.demo.families import families_of
from zsadbench_datasets.demo.kinds import Kind, kinds_of
from zsadbench_datasets.demo.scenes import make_scene

RENDER_SIDE, SIDE, PATCH = 128, 120, 10  # pixels per side: as rendered, as input of the tower, of a patch
USER = "pretraining"
FLAWED = 0.6  # fraction of the images that have a defect


class Facts(NamedTuple):
    """Facts about an image: its family, the names of its colours, the kinds of its defects and its marks, or None."""

    family: str
    tones: tuple[str, str]
    ground: str | None
    kind: str | None
    mark: str | None


class Picture(NamedTuple):
    """An image with its facts.

    Attributes:
        image: uint8 (120, 120, 3).
        defect: (12, 12), pixels of defects in each patch.
        mark: (12, 12), pixels of benign marks in each patch.
        body: (12, 12), pixels of the object or texture in each patch.
        facts: what captions may say about it.
    """

    image: NDArray[np.uint8]
    defect: NDArray[np.int64]
    mark: NDArray[np.int64]
    body: NDArray[np.int64]
    facts: Facts


def generate_image(number: int) -> Picture:
    """Generate the image with this number, which selects the family and is the seed of everything else."""
    families = families_of(USER)
    family = families[number % len(families)]
    rng = generator(f"{USER}/{family.name}/{number}")
    kind: Kind | None = pick(rng, kinds_of(USER, family.material)) if rng.random() < FLAWED else None
    scene = make_scene(family, rng, RENDER_SIDE)
    image, mask = scene.render(), np.zeros((RENDER_SIDE, RENDER_SIDE), np.uint8)
    if kind is not None:
        flawed = add_defects(scene, kind, USER, rng)
        image, mask = flawed.image, flawed.mask
    facts = Facts(family.name, scene.tones, scene.ground, kind.name if kind else None, scene.mark)
    pixels = _resized(image, Image.Resampling.BICUBIC)
    return Picture(pixels, _by_patch(mask), _by_patch(scene.marked), _by_patch(scene.body > 0.5), facts)


def generate_images(count: int) -> list[Picture]:
    """Generate the first `count` images, on all cores."""
    with Pool() as pool:
        return pool.map(generate_image, range(count), chunksize=64)


def turned(picture: Picture, way: int) -> Picture:
    """Rotate and mirror an image in one of eight ways."""

    def turn(values: NDArray) -> NDArray:
        rotated = np.rot90(values, way % 4)
        return rotated[:, ::-1] if way >= 4 else rotated

    return Picture(*(turn(part) for part in picture[:-1]), picture.facts)


def _resized(values: NDArray, how: Image.Resampling) -> NDArray:
    return np.asarray(Image.fromarray(values).resize((SIDE, SIDE), how))


def _by_patch(values: NDArray) -> NDArray[np.int64]:
    """The number of non-zero pixels in each patch."""
    grid = SIDE // PATCH
    values = _resized(values.astype(np.uint8), Image.Resampling.NEAREST)
    return values.reshape(grid, PATCH, grid, PATCH).sum(axis=(1, 3), dtype=np.int64)
