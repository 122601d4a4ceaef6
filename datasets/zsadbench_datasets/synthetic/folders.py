"""Miniatures of the industrial benchmarks whose folders give the labels: MVTec AD, MPDD, BTAD, DAGM, DTD-Synthetic."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from zsadbench_datasets.synthetic.images import ClassImages
from zsadbench_datasets.synthetic.parts import Miniature, counts, save, write_text

MVTEC = {  # class: two of its kinds of defect
    "bottle": ("broken_large", "contamination"),
    "cable": ("bent_wire", "missing_cable"),
    "capsule": ("crack", "squeeze"),
    "carpet": ("color", "thread"),
    "grid": ("bent", "glue"),
    "hazelnut": ("cut", "print"),
    "leather": ("fold", "poke"),
    "metal_nut": ("bent", "scratch"),
    "pill": ("color", "pill_type"),
    "screw": ("manipulated_front", "thread_top"),
    "tile": ("crack", "oil"),
    "toothbrush": ("defective",),
    "transistor": ("bent_lead", "misplaced"),
    "wood": ("hole", "liquid"),
    "zipper": ("broken_teeth", "rough"),
}
MVTEC_GREY = ("grid", "screw", "zipper")  # stored with a single channel

MPDD = {
    "bracket_black": ("scratches", "hole"),
    "bracket_brown": ("parts_mismatch", "bend_and_parts_mismatch"),
    "bracket_white": ("scratches", "defective_painting"),
    "connector": ("parts_mismatch",),
    "metal_plate": ("total_rust", "major_rust"),
    "tubes": ("anomalous",),
}

BTAD = {  # class: extension of images, of masks, and their size
    "01": ("bmp", "png", (80, 80)),
    "02": ("png", "png", (60, 60)),
    "03": ("bmp", "bmp", (80, 60)),
}

DAGM = tuple(f"Class{number}" for number in range(1, 11))

DTD = (
    "Blotchy_099",
    "Fibrous_183",
    "Marbled_078",
    "Matted_069",
    "Mesh_114",
    "Perforated_037",
    "Stratified_154",
    "Woven_001",
    "Woven_068",
    "Woven_104",
    "Woven_125",
    "Woven_127",
)


def _write_mvtec(root: Path, number: int) -> None:
    """The layout of `_write_mvtec_layout`; three classes are grey."""
    _write_mvtec_layout("mvtec", MVTEC, root, number, grey=MVTEC_GREY)
    write_text(root / "readme.txt", "A drawn miniature in the layout of MVTec AD.\n")


def _write_mpdd(root: Path, number: int) -> None:
    _write_mvtec_layout("mpdd", MPDD, root, number)


def _write_mvtec_layout(
    key: str, classes: Mapping[str, Sequence[str]], root: Path, number: int, grey: Sequence[str] = ()
) -> None:
    """`<class>/{train,test}/good`, `<class>/test/<defect>`, masks of 0 and 255 named `<stem>_mask.png`."""
    for name, defects in classes.items():
        images, mode = ClassImages(f"{key}/{name}", 96, 96), "L" if name in grey else "RGB"
        for index in range(number):
            save(images.normal(), root / name / "train" / "good" / f"{index:03d}.png", mode)
            save(images.normal(), root / name / "test" / "good" / f"{index:03d}.png", mode)
            image, mask = images.anomalous()
            defect, stem = defects[index % len(defects)], f"{index // len(defects):03d}"
            save(image, root / name / "test" / defect / f"{stem}.png", mode)
            save(mask * 255, root / name / "ground_truth" / defect / f"{stem}_mask.png", "L")


def _write_btad(root: Path, number: int) -> None:
    """`<class>/{train/ok,test/ok,test/ko,ground_truth/ko}`; a mask has its image's stem and another extension."""
    for name, (image_ext, mask_ext, size) in BTAD.items():
        images = ClassImages(f"btad/{name}", *size)
        for index in range(number):
            save(images.normal(), root / name / "train" / "ok" / f"{index:04d}.{image_ext}")
            save(images.normal(), root / name / "test" / "ok" / f"{index:04d}.{image_ext}")
            image, mask = images.anomalous()
            save(image, root / name / "test" / "ko" / f"{index:04d}.{image_ext}")
            save(mask * 255, root / name / "ground_truth" / "ko" / f"{index:04d}.{mask_ext}", "L")


def _write_dagm(root: Path, number: int) -> None:
    """Grey `<class>/{Train,Test}/<dddd>.PNG`, both with defects; these have `Label/<dddd>_label.PNG`."""
    for name in DAGM:
        images, stem = ClassImages(f"dagm/{name}", 64, 64), 0
        for folder in (root / name / "Train", root / name / "Test"):
            lines = ["1"]
            for index in range(2 * number):
                image, mask = images.anomalous() if index % 2 else (images.normal(), None)
                stem += 1
                save(image, folder / f"{stem:04d}.PNG", "L")
                if mask is not None:
                    save(mask * 255, folder / "Label" / f"{stem:04d}_label.PNG", "L")
                lines.append(f"{stem}\t{index % 2}\t{stem:04d}.PNG\t{index % 2}\t{'' if mask is None else stem}")
            write_text(folder / "Label" / "Labels.txt", "\n".join(lines) + "\n")
        write_text(root / name / "Test" / "Thumbs.db", "no image")


def _write_dtd(root: Path, number: int) -> None:
    """A doubled top folder; `<class>/{train/good,test/good,test/bad}`; a mask has the name of its image."""
    for class_index, name in enumerate(DTD):
        side, folder = 64 + 4 * class_index, root / root.name / name
        images = ClassImages(f"dtd/{name}", side, side)
        for index in range(number):
            save(images.normal(), folder / "train" / "good" / f"{index:03d}.png")
            save(images.normal(), folder / "test" / "good" / f"{index:03d}.png")
            image, mask = images.anomalous()
            save(image, folder / "test" / "bad" / f"{index:03d}.png")
            save(mask * 255, folder / "ground_truth" / "bad" / f"{index:03d}.png", "L")


MINIATURES = {
    "mvtec": Miniature("mvtec", _write_mvtec, counts(MVTEC, train=(1, 0), test=(1, 1))),
    "mpdd": Miniature("MPDD", _write_mpdd, counts(MPDD, train=(1, 0), test=(1, 1))),
    "btad": Miniature("BTech_Dataset_transformed", _write_btad, counts(BTAD, train=(1, 0), test=(1, 1))),
    "dagm": Miniature("DAGM_KaggleUpload", _write_dagm, counts(DAGM, train=(1, 1), test=(1, 1))),
    "dtd": Miniature("DTD-Synthetic", _write_dtd, counts(DTD, train=(1, 0), test=(1, 1))),
}
