"""Miniatures of MVTec AD 2, KolektorSDD and KolektorSDD2.

Their layouts are written as they are known from general use and the literature; no official file was seen.
"""

from pathlib import Path

import numpy as np

from zsadbench_datasets.synthetic.images import ClassImages, Pixels
from zsadbench_datasets.synthetic.parts import Miniature, counts, save

MVTEC2 = ("can", "fabric", "fruit_jelly", "rice", "sheet_metal", "vial", "wallplugs", "walnuts")
LIGHTS = ("regular", "overexposed", "underexposed", "shift_1", "shift_2", "shift_3")
PARTS = 8  # surfaces of one commutator


def _write_mvtec2(root: Path, number: int) -> None:
    """`<class>/{train,validation}/good`, `test_public/{good,bad,ground_truth/bad}`, two parts without labels.

    Test images are named after their number and light; masks are `<stem>_mask.png` of 0 and 255. The parts without
    labels have one image per label of the public part each, normal and anomalous in turn, in one folder.
    """
    for position, name in enumerate(MVTEC2):
        images, folder = ClassImages(f"mvtec2/{name}", 96 + 8 * (position % 3), 72), root / name
        public = folder / "test_public"
        for index in range(number):
            light = LIGHTS[index % len(LIGHTS)]
            save(images.normal(), folder / "train/good" / f"{index:03d}_regular.png")
            save(images.normal(), folder / "validation/good" / f"{index:03d}_regular.png")
            save(images.normal(), public / "good" / f"{index:03d}_{light}.png")
            image, mask = images.anomalous()
            save(image, public / "bad" / f"{index:03d}_{light}.png")
            save(mask * 255, public / "ground_truth/bad" / f"{index:03d}_{light}_mask.png", "L")
            for part, ending in (("test_private", "regular"), ("test_private_mixed", "mixed")):
                save(images.normal(), folder / part / f"{2 * index:03d}_{ending}.png")
                save(images.anomalous()[0], folder / part / f"{2 * index + 1:03d}_{ending}.png")


def _pairs(images: ClassImages, number: int) -> list[tuple[Pixels, Pixels]]:
    """Normal images with a blank mask and anomalous ones with theirs, in turn; `number` of each."""
    blank = np.zeros((images.height, images.width), np.uint8)
    return [images.anomalous() if index % 2 else (images.normal(), blank) for index in range(2 * number)]


def _write_ksdd(root: Path, number: int) -> None:
    """Grey `kos<dd>/Part<d>.jpg`, eight parts each; every image has a mask `Part<d>_label.bmp`, which may be blank."""
    for index, (image, mask) in enumerate(_pairs(ClassImages("ksdd/commutator", 50, 124), number)):
        folder, part = root / f"kos{index // PARTS + 1:02d}", f"Part{index % PARTS}"
        save(image, folder / f"{part}.jpg", "L")
        save(mask * 255, folder / f"{part}_label.bmp", "L")


def _write_ksdd2(root: Path, number: int) -> None:
    """`train/1<dddd>.png`, `test/2<dddd>.png`, both with defects; every image has a mask `<stem>_GT.png`."""
    images = ClassImages("ksdd2/surface", 46, 126)
    for folder, first in (("train", 10000), ("test", 20000)):
        for index, (image, mask) in enumerate(_pairs(images, number)):
            save(image, root / folder / f"{first + index}.png")
            save(mask * 255, root / folder / f"{first + index}_GT.png", "L")


MINIATURES = {
    "mvtec2": Miniature("mvtec_ad_2", _write_mvtec2, counts(MVTEC2, train=(1, 0), validation=(1, 0), test=(1, 1))),
    "ksdd": Miniature("KolektorSDD", _write_ksdd, counts(["electrical commutators"], test=(1, 1))),
    "ksdd2": Miniature("KolektorSDD2", _write_ksdd2, counts(["surface"], train=(1, 1), test=(1, 1))),
}
