"""The two sets: which images they hold, how each is drawn, and how they are written.

The layout is that of MVTec AD: `<class>/train/good`, `<class>/test/{good,<kind>}`, masks of 0 and 255 named
`<stem>_mask.png` in `<class>/ground_truth/<kind>`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from zsadbench_datasets.demo.defects import Flawed, flaw
from zsadbench_datasets.demo.exact import Pixels, generator
from zsadbench_datasets.demo.families import SEEN_KINDS, Family, Kind, User, families_of, kinds_of
from zsadbench_datasets.demo.scenes import draw_scene

GENERATOR = 1  # one more whenever any pixel changes
SIDE = 128
TRAIN, TEST = 8, 24  # normal images for training; test images of each label
SETS: tuple[User, ...] = ("demo", "demo-aux")


@dataclass(frozen=True)
class Draft:
    """One image to be drawn: `kind` None for a good one, `number` counts within its split and label."""

    family: Family
    kind: Kind | None
    split: str
    number: int
    stem: str

    @property
    def key(self) -> str:
        """What decides every pixel."""
        label = "good" if self.kind is None else "bad"
        return f"{GENERATOR}/{self.family.user}/{self.family.name}/{self.split}/{label}/{self.number}"

    @property
    def image(self) -> str:
        """Where the image lies in its set."""
        kind = "good" if self.kind is None else self.kind.name
        return f"{self.family.name}/{self.split}/{kind}/{self.stem}.png"

    @property
    def mask(self) -> str:
        """Where its mask lies; empty for a good image."""
        return f"{self.family.name}/ground_truth/{self.kind.name}/{self.stem}_mask.png" if self.kind else ""


def drafts(user: User) -> Iterator[Draft]:
    """Every image of a set."""
    for family in families_of(user):
        for split, many in (("train", TRAIN), ("test", TEST)):
            yield from (Draft(family, None, split, number, f"{number:03d}") for number in range(many))
        seen: dict[str, int] = {}
        for number, kind in enumerate(_shared_out(family)):
            seen[kind.name] = seen.get(kind.name, -1) + 1
            yield Draft(family, kind, "test", number, f"{seen[kind.name]:03d}")


def _shared_out(family: Family) -> list[Kind]:
    """The kinds of the anomalous images: half of them kinds that `demo-aux` has, half others where there are any."""
    kinds = kinds_of(family.user, family.material)
    halves = [[kind for kind in kinds if (kind.name in SEEN_KINDS) is seen] for seen in (True, False)]
    halves = [half for half in halves if half]
    return [kind for half in halves for kind in islice(cycle(half), TEST // len(halves))]


def render(draft: Draft, side: int = SIDE) -> Flawed:
    """Draw one image; of a good one the mask is empty and `clean` is the image."""
    rng = generator(draft.key)
    scene = draw_scene(draft.family, rng, side)
    if draft.kind is None:
        image = scene.develop()
        return Flawed(image, image, np.zeros((side, side), dtype=np.uint8))
    return flaw(scene, draft.kind, draft.family.user, rng)


def write(draft: Draft, drawn: Flawed, folder: Path) -> None:
    """Write one image, and its mask where it has one, below the folder of its set."""
    _save(drawn.image, folder / draft.image)
    if draft.mask:
        _save(drawn.mask * np.uint8(255), folder / draft.mask)


def _save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)
