"""The two sets: which images they contain, how each is rendered, and how it is written.

The layout is that of MVTec AD: `<class>/train/good`, `<class>/test/{good,<kind>}`, masks of 0 and 255 named
`<stem>_mask.png` in `<class>/ground_truth/<kind>`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from zsadbench_datasets.demo.defects import DefectImage, add_defects
from zsadbench_datasets.demo.exact import Pixels, generator
from zsadbench_datasets.demo.families import Family, SetName, families_of
from zsadbench_datasets.demo.kinds import SEEN_KINDS, Kind, kinds_of
from zsadbench_datasets.demo.scenes import make_scene

GENERATOR = 2  # increased whenever any pixel changes
SIDE = 128
COUNTS: dict[SetName, tuple[int, int]] = {  # normal images for training; test images of each label
    "demo": (4, 20),
    "demo-aux": (0, 6),
}
SETS: tuple[SetName, ...] = ("demo", "demo-aux")


@dataclass(frozen=True)
class ImageSpec:
    """One image of a set: `kind` of defect, None for a good image; `number`, counted within its split and label."""

    set_name: SetName
    family: Family
    kind: Kind | None
    split: str
    number: int
    stem: str

    @property
    def key(self) -> str:
        """The seed of the image, which determines every pixel."""
        label = "good" if self.kind is None else "bad"
        return f"{GENERATOR}/{self.set_name}/{self.family.name}/{self.split}/{label}/{self.number}"

    @property
    def image(self) -> str:
        """The path of the image in its set."""
        kind = "good" if self.kind is None else self.kind.name
        return f"{self.family.name}/{self.split}/{kind}/{self.stem}.png"

    @property
    def mask(self) -> str:
        """The path of its mask; empty for a good image."""
        return f"{self.family.name}/ground_truth/{self.kind.name}/{self.stem}_mask.png" if self.kind else ""


def image_specs(set_name: SetName) -> Iterator[ImageSpec]:
    """The specification of every image of a set."""
    train, test = COUNTS[set_name]
    for place, family in enumerate(families_of(set_name)):
        for split, many in (("train", train), ("test", test)):
            yield from (ImageSpec(set_name, family, None, split, number, f"{number:03d}") for number in range(many))
        seen: dict[str, int] = {}
        for number, kind in enumerate(_anomalous_kinds(set_name, family, place)):
            seen[kind.name] = seen.get(kind.name, -1) + 1
            yield ImageSpec(set_name, family, kind, "test", number, f"{seen[kind.name]:03d}")


def _anomalous_kinds(set_name: SetName, family: Family, place: int) -> list[Kind]:
    """The kind of each anomalous image: half of them kinds that `demo-aux` has, half other kinds, if there are any.

    The family's place in its set decides with which kind each half begins.
    """
    kinds = kinds_of(set_name, family.material)
    halves = [[kind for kind in kinds if (kind.name in SEEN_KINDS) is seen] for seen in (True, False)]
    halves = [half for half in halves if half]
    each = COUNTS[set_name][1] // len(halves)
    return [half[(place + number) % len(half)] for half in halves for number in range(each)]


def render(spec: ImageSpec, side: int = SIDE) -> DefectImage:
    """Render one image; for a good image, the mask is zero and `clean` is the image itself."""
    rng = generator(spec.key)
    scene = make_scene(spec.family, rng, side)
    if spec.kind is None:
        image = scene.render()
        return DefectImage(image, image, np.zeros((side, side), dtype=np.uint8))
    return add_defects(scene, spec.kind, spec.set_name, rng)


def write(spec: ImageSpec, rendered: DefectImage, folder: Path) -> None:
    """Write one image, and its mask where it has one, below the folder of its set."""
    _save(rendered.image, folder / spec.image)
    if spec.mask:
        _save(rendered.mask * np.uint8(255), folder / spec.mask)


def _save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)
