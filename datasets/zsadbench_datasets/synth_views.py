"""Miniatures of the sets whose samples are named in tables: VisA, HeadCT, and Real-IAD with its five views."""

from pathlib import Path

from zsadbench_datasets.pictures import Artist
from zsadbench_datasets.synth_parts import Miniature, counts, save, write_csv, write_json

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
VIEWS, VISIBLE = 5, 3  # of an anomalous object, the last two views do not show the defect

Row = dict[str, str | None]


def _draw_visa(root: Path, number: int) -> None:
    """`<class>/Data/{Images,Masks}`, masks of class ids 1..9, and the split in `split_csv/1cls.csv`."""
    rows = [row for place, name in enumerate(VISA) for row in _draw_visa_class(root, name, place, number)]
    write_csv(root / "split_csv" / "1cls.csv", [("object", "split", "label", "image", "mask"), *rows])


def _draw_visa_class(root: Path, name: str, place: int, number: int) -> list[tuple[str, ...]]:
    artist = Artist(f"visa/{name}", 96 + 4 * place, 80)
    rows: list[tuple[str, ...]] = []
    for index in range(2 * number):
        path = f"{name}/Data/Images/Normal/{index:0{VISA[name]}d}.JPG"
        save(artist.sound(), root / path)
        rows.append((name, "train" if index < number else "test", "normal", path, ""))
    for index in range(number):
        image, mask = artist.flawed()
        path, masked = f"{name}/Data/Images/Anomaly/{index:03d}.JPG", f"{name}/Data/Masks/Anomaly/{index:03d}.png"
        save(image, root / path)
        save(mask * (1 + (place + index) % 9), root / masked, "L")
        rows.append((name, "test", "anomaly", path, masked))
    notes = [(path, label, mask) for _, _, label, path, mask in rows]
    write_csv(root / name / "image_anno.csv", [("image", "label", "mask"), *notes])
    return rows


def _draw_headct(root: Path, number: int) -> None:
    """`head_ct/head_ct/000.png` and on, of several modes; `labels.csv` with ` hemorrhage`, unpadded ids."""
    artist, rows = Artist("headct/brain", 88, 96), [("id", " hemorrhage")]
    for index in range(2 * number):
        odd = (index + 1) % 2
        image = artist.flawed()[0] if odd else artist.sound()
        save(image, root / "head_ct" / "head_ct" / f"{index:03d}.png", ("RGB", "L", "RGBA", "P")[index % 4])
        rows.append((str(index), str(odd)))
    write_csv(root / "labels.csv", rows)


def _draw_realiad(root: Path, number: int) -> None:
    """`realiad_1024/<class>/{OK,NG/<code>}/S<dddd>/`, and the lists as their archive unpacks, in a doubled folder."""
    lists = root / "realiad_jsons"
    for place, name in enumerate(REALIAD):
        things = Things(name, place, root / "realiad_1024" / name)
        train = [things.right(index) for index in range(number)]
        later = range(VIEWS * number, VIEWS * number + number - number // 2)
        hidden = [things.hidden(index // 2, VISIBLE + 1 + index % 2) for index in range(number // 2)]
        test = [*map(things.right, later), *map(things.wrong, range(number)), *hidden]
        meta = {"prefix": f"{name}/", "normal_class": "OK"}
        write_json(lists / "realiad_jsons" / f"{name}.json", {"meta": meta, "train": train, "test": test})
        write_json(
            lists / "realiad_jsons_sv" / f"{name}.json", {"meta": meta, "train": _top(train), "test": _top(test)}
        )


def _top(rows: list[Row]) -> list[Row]:
    """The rows of the first view."""
    return [row for row in rows if "_C1_" in str(row["image_path"])]


class Things:
    """The objects of the class `name`, which is the `place`-th; each is seen from five sides."""

    def __init__(self, name: str, place: int, folder: Path) -> None:
        self.name, self.place, self.folder = name, place, folder
        self.artist = Artist(f"realiad/{name}", 64, 64)

    def right(self, index: int) -> Row:
        """The normal image number `index`, of which an object has five."""
        thing, view = index // VIEWS + 1, index % VIEWS + 1
        path = f"OK/S{thing:04d}/{self.name}_{thing:04d}_OK_C{view}_20231021130{thing:03d}.jpg"
        save(self.artist.sound(), self.folder / path)
        return {"category": self.name, "anomaly_class": "OK", "image_path": path, "mask_path": None}

    def wrong(self, index: int) -> Row:
        """The image number `index` that shows a defect; its mask lies beside it, with the same stem."""
        code, stem = self._stem(index // VISIBLE, index % VISIBLE + 1)
        image, mask = self.artist.flawed()
        save(image, self.folder / f"{stem}.jpg")
        save(mask * 255, self.folder / f"{stem}.png", "L")
        return {"category": self.name, "anomaly_class": code, "image_path": f"{stem}.jpg", "mask_path": f"{stem}.png"}

    def hidden(self, thing: int, view: int) -> Row:
        """A view of an anomalous object that does not show its defect: below `NG`, and without a mask."""
        code, stem = self._stem(thing, view)
        save(self.artist.sound(), self.folder / f"{stem}.jpg")
        return {"category": self.name, "anomaly_class": code, "image_path": f"{stem}.jpg", "mask_path": None}

    def _stem(self, thing: int, view: int) -> tuple[str, str]:
        """The code of an anomalous object's defect, and the path of one view of it, without extension."""
        code, gap = REALIAD_DEFECTS[(self.place + thing) % len(REALIAD_DEFECTS)], "__" if self.place % 2 else "_"
        number = f"{thing + 1:04d}"
        return code, f"NG/{code}/S{number}/{self.name}{gap}{number}_NG_{code}_C{view}_20231023111{thing:03d}"


MINIATURES = {
    "visa": Miniature("VisA", _draw_visa, counts(VISA, train=(1, 0), test=(1, 1))),
    "headct": Miniature("head-ct-hemorrhage", _draw_headct, counts(["brain"], test=(1, 1))),
    "realiad": Miniature("Real-IAD", _draw_realiad, counts(REALIAD, train=(1, 0), test=(1, 1))),
}
