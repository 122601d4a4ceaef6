"""Miniatures: a benchmark's official layout, quirks included, filled with small drawn images.

Each layout is written out by hand from the description of the benchmark. It knows nothing of the rules by
which cards are read, so that a miniature can show a rule wrong.
"""

import csv
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from PIL import Image

from zsadbench.errors import UsageError
from zsadbench_datasets.pictures import Artist, Pixels

Counts = dict[str, dict[str, list[int]]]  # class → split → [normal, anomalous]
RECORD = "zsadbench-synth.json"

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

VISA = {  # class: digits in the names of its normal images
    "candle": 4,
    "capsules": 3,
    "cashew": 3,
    "chewinggum": 3,
    "fryum": 3,
    "macaroni1": 4,
    "macaroni2": 4,
    "pcb1": 4,
    "pcb2": 4,
    "pcb3": 4,
    "pcb4": 4,
    "pipe_fryum": 3,
}


def synthesise(name: str, out: str | Path, per_class: int = 4) -> Path:
    """Write the miniature of the set `name` below `out`, and what it holds in `zsadbench-synth.json`.

    Every class gets `per_class` normal and as many anomalous test images, as far as the set has both, and
    as many training images where it has those. The same call writes the same files.

    Raises:
        UsageError: there is no such miniature, `per_class` is not positive, or the folder holds other files.
    """
    if name not in MINIATURES:
        raise UsageError(f"no miniature of '{name}' can be drawn; known: {', '.join(sorted(MINIATURES))}")
    if per_class < 1:
        raise UsageError(f"a miniature needs at least one image per class, not {per_class}")
    folder, draw, splits = MINIATURES[name]
    root = Path(out) / folder
    record = json.dumps({"name": name, "version": version("zsadbench"), "counts": splits(per_class)}, indent=1)
    _refuse_other_files(root, record)
    draw(root, per_class)
    (root / RECORD).write_text(record + "\n", encoding="utf-8")
    return root


def _refuse_other_files(root: Path, record: str) -> None:
    ours = (root / RECORD).is_file() and (root / RECORD).read_text(encoding="utf-8") == record + "\n"
    if root.exists() and not ours and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"'{root}' holds something else already; remove it, or choose another folder")


def _every_class(classes: Sequence[str]) -> Callable[[int], Counts]:
    return lambda number: {name: {"train": [number, 0], "test": [number, number]} for name in classes}


def _save(pixels: Pixels, path: Path, mode: str = "RGB") -> None:
    """Write (height, width, 3) or (height, width) pixels, in a mode that Pillow converts to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    image.save(path, quality=95)


def _draw_mvtec(root: Path, number: int) -> None:
    """`<class>/{train,test}/good`, `<class>/test/<defect>`, masks of 0 and 255 named `<stem>_mask.png`."""
    for name, defects in MVTEC.items():
        artist, mode = Artist(f"mvtec/{name}", 96, 96), "L" if name in MVTEC_GREY else "RGB"
        for index in range(number):
            _save(artist.sound(), root / name / "train" / "good" / f"{index:03d}.png", mode)
            _save(artist.sound(), root / name / "test" / "good" / f"{index:03d}.png", mode)
            image, mask = artist.flawed()
            defect, stem = defects[index % len(defects)], f"{index // len(defects):03d}"
            _save(image, root / name / "test" / defect / f"{stem}.png", mode)
            _save(mask * 255, root / name / "ground_truth" / defect / f"{stem}_mask.png", "L")
    (root / "readme.txt").write_text("A drawn miniature in the layout of MVTec AD.\n", encoding="utf-8")


def _draw_visa(root: Path, number: int) -> None:
    """`<class>/Data/{Images,Masks}`, masks of class ids 1..9, and the split in `split_csv/1cls.csv`."""
    rows = [row for place, name in enumerate(VISA) for row in _draw_visa_class(root, name, place, number)]
    _write_csv(root / "split_csv" / "1cls.csv", [("object", "split", "label", "image", "mask"), *rows])


def _draw_visa_class(root: Path, name: str, place: int, number: int) -> list[tuple[str, ...]]:
    artist = Artist(f"visa/{name}", 96 + 4 * place, 80)
    rows: list[tuple[str, ...]] = []
    for index in range(2 * number):
        path = f"{name}/Data/Images/Normal/{index:0{VISA[name]}d}.JPG"
        _save(artist.sound(), root / path)
        rows.append((name, "train" if index < number else "test", "normal", path, ""))
    for index in range(number):
        image, mask = artist.flawed()
        path, masked = f"{name}/Data/Images/Anomaly/{index:03d}.JPG", f"{name}/Data/Masks/Anomaly/{index:03d}.png"
        _save(image, root / path)
        _save(mask * (1 + (place + index) % 9), root / masked, "L")
        rows.append((name, "test", "anomaly", path, masked))
    notes = [(path, label, mask) for _, _, label, path, mask in rows]
    _write_csv(root / name / "image_anno.csv", [("image", "label", "mask"), *notes])
    return rows


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _draw_colondb(root: Path, number: int) -> None:
    """`images/<n>.png` with `masks/<n>.png`, counted from 1; every image is anomalous."""
    artist = Artist("colondb/colon", 110, 96)
    for index in range(1, number + 1):
        image, mask = artist.flawed()
        _save(image, root / "images" / f"{index}.png")
        _save(mask * 255, root / "masks" / f"{index}.png", "L")


def _draw_brainmri(root: Path, number: int) -> None:
    """`brain_tumor_dataset/{no,yes}` and the same once more at the top; mixed names, extensions and modes."""
    artist = Artist("brainmri/brain", 90, 104)
    normal = (("{} no.jpeg", "RGB"), ("N{}.JPG", "L"), ("no {}.png", "P"), ("{}no.jpg", "RGB"))
    tumour = (("Y{}.jpg", "RGB"), ("Y{}.JPG", "L"), ("Y{}.png", "RGBA"))
    for index in range(number):
        _save_twice(artist.sound(), root, "no", normal[index % len(normal)], index)
        _save_twice(artist.flawed()[0], root, "yes", tumour[index % len(tumour)], index)


def _save_twice(pixels: Pixels, root: Path, folder: str, style: tuple[str, str], index: int) -> None:
    name, mode = style
    for parent in (root / "brain_tumor_dataset", root):
        _save(pixels, parent / folder / name.format(index + 1), mode)


MINIATURES: dict[str, tuple[str, Callable[[Path, int], None], Callable[[int], Counts]]] = {
    "mvtec": ("mvtec", _draw_mvtec, _every_class(tuple(MVTEC))),
    "visa": ("VisA", _draw_visa, _every_class(tuple(VISA))),
    "colondb": ("CVC-ColonDB", _draw_colondb, lambda number: {"colon": {"test": [0, number]}}),
    "brainmri": ("brainmri", _draw_brainmri, lambda number: {"brain": {"test": [number, number]}}),
}
