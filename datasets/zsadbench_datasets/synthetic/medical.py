"""Miniatures of the medical benchmarks that consist of folders: brain, skin, colon and thyroid."""

from pathlib import Path

from zsadbench_datasets.synthetic.images import ClassImages, Pixels
from zsadbench_datasets.synthetic.parts import Miniature, counts, save, save_jpeg_mask, write_json


def _write_brainmri(root: Path, number: int) -> None:
    """`brain_tumor_dataset/{no,yes}` and the same images again in `no` and `yes`; mixed names, extensions and modes."""
    images = ClassImages("brainmri/brain", 90, 104)
    normal = (("{} no.jpeg", "RGB"), ("N{}.JPG", "L"), ("no {}.png", "P"), ("{}no.jpg", "RGB"))
    tumour = (("Y{}.jpg", "RGB"), ("Y{}.JPG", "L"), ("Y{}.png", "RGBA"))
    for index in range(number):
        _save_twice(images.normal(), root, "no", normal[index % len(normal)], index)
        _save_twice(images.anomalous()[0], root, "yes", tumour[index % len(tumour)], index)


def _save_twice(pixels: Pixels, root: Path, folder: str, style: tuple[str, str], index: int) -> None:
    name, mode = style
    for parent in (root / "brain_tumor_dataset", root):
        save(pixels, parent / folder / name.format(index + 1), mode)


def _write_br35h(root: Path, number: int) -> None:
    """`no/no<n>.jpg`, `yes/y<n>.jpg`; `pred/` has no labels, `Br35H-Mask-RCNN/` repeats images of `yes/`."""
    images = ClassImages("br35h/brain", 96, 90)
    for index in range(number):
        save(images.normal(), root / "no" / f"no{index}.jpg", ("RGB", "L")[index % 2])
        tumour = images.anomalous()[0]
        save(tumour, root / "yes" / f"y{index}.jpg", ("L", "RGB")[index % 2])
        save(tumour, root / "Br35H-Mask-RCNN" / ("TRAIN", "VAL", "TEST")[index % 3] / f"y{index}.jpg")
        save(images.normal(), root / "pred" / f"pred{index}.jpg")
    write_json(root / "Br35H-Mask-RCNN" / "annotations_all.json", {})


def _write_isic(root: Path, number: int) -> None:
    """Images `ISIC_<ddddddd>.jpg` of many sizes; masks `<stem>_Segmentation.png` in a second folder."""
    for index in range(number):
        image, mask = ClassImages(f"isic/skin/{index}", 96 + 8 * (index % 3), 80).anomalous()
        stem = f"ISIC_{3 + 8 * index:07d}"
        save(image, root / "ISBI2016_ISIC_Part1_Test_Data" / f"{stem}.jpg")
        save(mask * 255, root / "ISBI2016_ISIC_Part1_Test_GroundTruth" / f"{stem}_Segmentation.png", "L")


def _write_clinicdb(root: Path, number: int) -> None:
    """`Original/<n>.tif` with `Ground Truth/<n>.tif`, counted from 1."""
    images = ClassImages("clinicdb/colon", 96, 72)
    for index in range(1, number + 1):
        image, mask = images.anomalous()
        save(image, root / "Original" / f"{index}.tif")
        save(mask * 255, root / "Ground Truth" / f"{index}.tif", "L")


def _write_colondb(root: Path, number: int) -> None:
    """`images/<n>.png` with `masks/<n>.png`, counted from 1; every image is anomalous."""
    images = ClassImages("colondb/colon", 110, 96)
    for index in range(1, number + 1):
        image, mask = images.anomalous()
        save(image, root / "images" / f"{index}.png")
        save(mask * 255, root / "masks" / f"{index}.png", "L")


def _write_kvasir(root: Path, number: int) -> None:
    """`images/<long name>.jpg`, a JPEG mask of three channels with the same name, and boxes in a JSON file."""
    boxes = {}
    for index in range(number):
        image, mask = ClassImages(f"kvasir/colon/{index}", 80 + 10 * (index % 4), 90).anomalous()
        stem = f"cju{index:02d}qkwl35piu0993l0dewei2"
        save(image, root / "images" / f"{stem}.jpg")
        save_jpeg_mask(mask, root / "masks" / f"{stem}.jpg")
        boxes[stem] = {"height": image.shape[0], "width": image.shape[1], "bbox": []}
    write_json(root / "kavsir_bboxes.json", boxes)


def _write_endo(root: Path, number: int) -> None:
    """`images/` and `masks/`, both JPEG, with the same names."""
    images = ClassImages("endo/colon", 100, 84)
    for index in range(number):
        image, mask = images.anomalous()
        save(image, root / "images" / f"ckcu9{index:04d}endo.jpg")
        save_jpeg_mask(mask, root / "masks" / f"ckcu9{index:04d}endo.jpg")


def _write_tn3k(root: Path, number: int) -> None:
    """`tn3k/{trainval,test}-{image,mask}/<dddd>.jpg`, masks JPEG as well, and five folds of positions."""
    images, top = ClassImages("tn3k/thyroid", 96, 80), root / "tn3k"
    for part in ("trainval", "test"):
        for index in range(number):
            image, mask = images.anomalous()
            save(image, top / f"{part}-image" / f"{index:04d}.jpg")
            save_jpeg_mask(mask, top / f"{part}-mask" / f"{index:04d}.jpg", "L")
    for fold in range(5):
        validation = [index for index in range(number) if index % 5 == fold]
        train = [index for index in range(number) if index % 5 != fold]
        write_json(top / f"tn3k-trainval-fold{fold}.json", {"train": train, "val": validation})


MINIATURES = {
    "brainmri": Miniature("brainmri", _write_brainmri, counts(["brain"], test=(1, 1))),
    "br35h": Miniature("Br35H", _write_br35h, counts(["brain"], test=(1, 1))),
    "isic": Miniature("ISIC2016", _write_isic, counts(["skin"], test=(0, 1))),
    "clinicdb": Miniature("CVC-ClinicDB", _write_clinicdb, counts(["colon"], test=(0, 1))),
    "colondb": Miniature("CVC-ColonDB", _write_colondb, counts(["colon"], test=(0, 1))),
    "kvasir": Miniature("Kvasir-SEG", _write_kvasir, counts(["colon"], test=(0, 1))),
    "endo": Miniature("EndoTect_2020_Segmentation_Test_Dataset", _write_endo, counts(["colon"], test=(0, 1))),
    "tn3k": Miniature("Thyroid Dataset", _write_tn3k, counts(["thyroid"], trainval=(0, 1), test=(0, 1))),
}
