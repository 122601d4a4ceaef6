"""Miniatures of the benchmarks whose samples are listed in tables: VisA, HeadCT, and Real-IAD with five views."""

from pathlib import Path

from zsadbench_datasets.synthetic.images import ClassImages
from zsadbench_datasets.synthetic.parts import Miniature, counts, save, write_csv, write_json

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

REALIAD = (
    *("audiojack", "bottle_cap", "button_battery", "end_cap", "eraser", "fire_hood", "mint", "mounts", "pcb"),
    *("phone_battery", "plastic_nut", "plastic_plug", "porcelain_doll", "regulator", "rolled_strip_base"),
    *("sim_card_set", "switch", "tape", "terminalblock", "toothbrush", "toy", "toy_brick", "transistor1"),
    *("u_block", "usb", "usb_adaptor", "vcpill", "wooden_beads", "woodstick", "zipper"),
)
REALIAD_DEFECTS = ("BX", "AK", "HS", "PS")
VIEWS, VISIBLE = 5, 3  # the last two views of an anomalous object do not show the defect

Row = dict[str, str | None]


def _write_visa(root: Path, number: int) -> None:
    """`<class>/Data/{Images,Masks}`, masks of class ids 1..9, and the split in `split_csv/1cls.csv`."""
    rows = [row for class_index, name in enumerate(VISA) for row in _write_visa_class(root, name, class_index, number)]
    write_csv(root / "split_csv" / "1cls.csv", [("object", "split", "label", "image", "mask"), *rows])


def _write_visa_class(root: Path, name: str, class_index: int, number: int) -> list[tuple[str, ...]]:
    images = ClassImages(f"visa/{name}", 96 + 4 * class_index, 80)
    rows: list[tuple[str, ...]] = []
    for index in range(2 * number):
        path = f"{name}/Data/Images/Normal/{index:0{VISA[name]}d}.JPG"
        save(images.normal(), root / path)
        rows.append((name, "train" if index < number else "test", "normal", path, ""))
    for index in range(number):
        image, mask = images.anomalous()
        path, mask_path = f"{name}/Data/Images/Anomaly/{index:03d}.JPG", f"{name}/Data/Masks/Anomaly/{index:03d}.png"
        save(image, root / path)
        save(mask * (1 + (class_index + index) % 9), root / mask_path, "L")
        rows.append((name, "test", "anomaly", path, mask_path))
    annotations = [(path, label, mask) for _, _, label, path, mask in rows]
    write_csv(root / name / "image_anno.csv", [("image", "label", "mask"), *annotations])
    return rows


def _write_headct(root: Path, number: int) -> None:
    """`head_ct/head_ct/000.png` and so on, in several modes; `labels.csv` with a column ` hemorrhage`, ids unpadded."""
    images, rows = ClassImages("headct/brain", 88, 96), [("id", " hemorrhage")]
    for index in range(2 * number):
        label = (index + 1) % 2
        image = images.anomalous()[0] if label else images.normal()
        save(image, root / "head_ct" / "head_ct" / f"{index:03d}.png", ("RGB", "L", "RGBA", "P")[index % 4])
        rows.append((str(index), str(label)))
    write_csv(root / "labels.csv", rows)


def _write_realiad(root: Path, number: int) -> None:
    """`realiad_1024/<class>/{OK,NG/<code>}/S<dddd>/`, and the lists in a doubled folder, as archived."""
    lists = root / "realiad_jsons"
    for class_index, name in enumerate(REALIAD):
        objects = RealiadClass(name, class_index, root / "realiad_1024" / name)
        train = [objects.write_normal(index) for index in range(number)]
        test_indices = range(VIEWS * number, VIEWS * number + number - number // 2)
        hidden = [objects.write_hidden(index // 2, VISIBLE + 1 + index % 2) for index in range(number // 2)]
        test = [*map(objects.write_normal, test_indices), *map(objects.write_anomalous, range(number)), *hidden]
        meta = {"prefix": f"{name}/", "normal_class": "OK"}
        write_json(lists / "realiad_jsons" / f"{name}.json", {"meta": meta, "train": train, "test": test})
        first_view = {"meta": meta, "train": _first_view(train), "test": _first_view(test)}
        write_json(lists / "realiad_jsons_sv" / f"{name}.json", first_view)


def _first_view(rows: list[Row]) -> list[Row]:
    return [row for row in rows if "_C1_" in str(row["image_path"])]


class RealiadClass:
    """Writes images of one class of Real-IAD, in which each object has five views; returns their rows in the lists."""

    def __init__(self, name: str, class_index: int, folder: Path) -> None:
        self.name, self.class_index, self.folder = name, class_index, folder
        self.images = ClassImages(f"realiad/{name}", 64, 64)

    def write_normal(self, index: int) -> Row:
        """Write the normal image number `index`; five successive numbers are the views of one object."""
        number, view = f"{index // VIEWS + 1:04d}", index % VIEWS + 1
        path = f"OK/S{number}/{self.name}_{number}_OK_C{view}_20231021130{index // VIEWS + 1:03d}.jpg"
        save(self.images.normal(), self.folder / path)
        return {"category": self.name, "anomaly_class": "OK", "image_path": path, "mask_path": None}

    def write_anomalous(self, index: int) -> Row:
        """Write the image number `index` with a visible defect, and its mask, which has the same stem."""
        code, stem = self._stem(index // VISIBLE, index % VISIBLE + 1)
        image, mask = self.images.anomalous()
        save(image, self.folder / f"{stem}.jpg")
        save(mask * 255, self.folder / f"{stem}.png", "L")
        return {"category": self.name, "anomaly_class": code, "image_path": f"{stem}.jpg", "mask_path": f"{stem}.png"}

    def write_hidden(self, object_index: int, view: int) -> Row:
        """Write a view of an anomalous object in which the defect is not visible: below `NG`, without a mask."""
        code, stem = self._stem(object_index, view)
        save(self.images.normal(), self.folder / f"{stem}.jpg")
        return {"category": self.name, "anomaly_class": code, "image_path": f"{stem}.jpg", "mask_path": None}

    def _stem(self, object_index: int, view: int) -> tuple[str, str]:
        """The code of the defect of an anomalous object, and the path of one of its views without extension."""
        code = REALIAD_DEFECTS[(self.class_index + object_index) % len(REALIAD_DEFECTS)]
        gap = "__" if self.class_index % 2 else "_"
        number = f"{object_index + 1:04d}"
        return code, f"NG/{code}/S{number}/{self.name}{gap}{number}_NG_{code}_C{view}_20231023111{object_index:03d}"


MINIATURES = {
    "visa": Miniature("VisA", _write_visa, counts(VISA, train=(1, 0), test=(1, 1))),
    "headct": Miniature("head-ct-hemorrhage", _write_headct, counts(["brain"], test=(1, 1))),
    "realiad": Miniature("Real-IAD", _write_realiad, counts(REALIAD, train=(1, 0), test=(1, 1))),
}
