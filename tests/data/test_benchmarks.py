"""Every card and each of its layouts, tested on miniatures written independently of the card."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from zsadbench.data import all_cards, check_masks, find_card, load_dataset, synthesise
from zsadbench.engine.plan.request import read_targets
from zsadbench.errors import DataError

NAMES = (
    *("mvtec", "visa", "mpdd", "btad", "dagm", "dtd", "realiad", "headct"),
    *("brainmri", "br35h", "isic", "clinicdb", "colondb", "kvasir", "endo", "tn3k"),
)
SIXTEEN, NAMES = NAMES, (*NAMES, "mvtec2", "ksdd", "ksdd2")
SYNTH = "zsadbench-synth.json"


def move(old, new):
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(old, new)


def move_all(pairs):
    for old, new in list(pairs):
        move(old, new)


def below(root, folder):
    """Move everything in the root, except the miniature's own file, into a folder in it."""
    move_all((path, root / folder / path.name) for path in list(root.iterdir()) if path.name != SYNTH)


def visa_pytorch(root):
    with (root / "split_csv/1cls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        kind = {"normal": "good", "anomaly": "bad"}[row["label"]]
        move(root / row["image"], root / "1cls" / row["object"] / row["split"] / kind / Path(row["image"]).name)
        if row["mask"]:
            move(root / row["mask"], root / "1cls" / row["object"] / "ground_truth/bad" / Path(row["mask"]).name)
    for name in {row["object"] for row in rows} | {"split_csv"}:
        shutil.rmtree(root / name)


def doubled_classes(root):
    for name in find_card("dagm").classes:
        move(root / name, root / "away")
        move(root / "away", root / name / name)


def headct_folders(below_root):
    def arrange(root):
        with (root / "labels.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            kind = "hemorrhage" if row[" hemorrhage"] == "1" else "good"
            name = f"{int(row['id']):03d}.png"
            move(root / "head_ct/head_ct" / name, root / below_root / "test" / kind / name)
        (root / "labels.csv").unlink()

    return arrange


def yes_and_no(old, new):
    def arrange(root):
        move(root / old / "no", root / new / "test/good")
        move(root / old / "yes", root / new / "test/tumour")
        for folder in ("brain_tumor_dataset", "no", "yes", "Br35H-Mask-RCNN", "pred"):
            shutil.rmtree(root / folder, ignore_errors=True)

    return arrange


def as_png(root, old, new):
    for path in sorted((root / old).iterdir()):
        (root / new).mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.save(root / new / f"{path.stem}.png")


def clinic_bundle(root):
    as_png(root, "Original", "images")
    as_png(root, "Ground Truth", "masks")
    shutil.rmtree(root / "Original")
    shutil.rmtree(root / "Ground Truth")


def clinic_kaggle(root):
    as_png(root, "Original", "PNG/Original")
    as_png(root, "Ground Truth", "PNG/Ground Truth")
    move(root / "Original", root / "TIF/Original")
    move(root / "Ground Truth", root / "TIF/Ground Truth")


def isic_rearranged(root):
    move(root / "ISBI2016_ISIC_Part1_Test_Data", root / "skin/test/bad")
    move(root / "ISBI2016_ISIC_Part1_Test_GroundTruth", root / "skin/ISBI2016_ISIC_Part1_Test_GroundTruth")


def isic_doubled(root):
    for name in ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"):
        move(root / name, root / "away")
        move(root / "away", root / name / name)


def as_mvtec(images, masks, new, end, cut=""):
    """Move pairs into `test/polyp` and `ground_truth/polyp`, masks with another end of their names."""

    def arrange(root):
        for path in sorted((root / images).iterdir()):
            move(path, root / new / "test/polyp" / path.name)
        for path in sorted((root / masks).iterdir()):
            name = path.stem.removesuffix(cut) + end + path.suffix
            move(path, root / new / "ground_truth/polyp" / name)
        for folder in (images, masks):
            shutil.rmtree(root / folder.split("/")[0], ignore_errors=True)

    return arrange


def inside(arrange, folder):
    """Apply `arrange`, then keep only the content of one folder."""

    def moved(root):
        arrange(root)
        move_all((path, root / path.name) for path in (root / folder).iterdir())

    return moved


def colon_original(root):
    """Frames, polyps (p), contours (c, cp) and other masks (s) in one folder; some with the shorter extension."""
    images, masks = sorted((root / "images").iterdir()), sorted((root / "masks").iterdir())
    for number, (image, mask) in enumerate(zip(images, masks, strict=True), start=1):
        extension = "tif" if number % 2 else "tiff"
        for prefix, source in (("", image), ("p", mask), ("c", mask), ("cp", mask), ("s", mask)):
            with Image.open(source) as picture:
                picture.save(root / f"{prefix}{number}.{extension}")
    for folder in ("images", "masks"):
        shutil.rmtree(root / folder)


def realiad(resolution, lists):
    def arrange(root):
        if lists.endswith("_sv"):
            move(root / "realiad_jsons/realiad_jsons", root / "no lists")
        if resolution != "realiad_1024":
            move(root / "realiad_1024", root / resolution)
        if "/" not in lists:
            move(root / "realiad_jsons", root / "away")
            move_all((path, root / path.name) for path in (root / "away").iterdir())

    return arrange


def by_label(name, layout):
    """Arrange the test images of a set whose masks give the labels in the folders of MVTec AD."""

    def arrange(root):
        frame = load_dataset(name, [root.parent]).manifest
        own = {"bare": "", "rearranged": frame["class"].iloc[0]}[layout]
        for number, row in enumerate(frame.to_dict("records")):
            stem, kind = f"{number:03d}", "defect" if row["label"] else "good"
            move(Path(row["path"]), root / own / "test" / kind / f"{stem}{Path(row['path']).suffix}")
            if row["mask"]:
                move(Path(row["mask"]), root / own / "ground_truth/defect" / f"{stem}{Path(row['mask']).suffix}")
        for blank in [*root.glob("*/*_label.bmp"), *root.glob("*/*_GT.png")]:
            blank.unlink()
        for folder in ("kos01", "train"):
            shutil.rmtree(root / folder, ignore_errors=True)

    return arrange


UNDIVIDED = (("rearranged", "rearranged"), ("bare", "bare"))
AS_TESTS = (("rearranged", "brain"), ("bare", ""))
REALIAD = {
    ("realiad", f"official:{resolution}:{lists}"): realiad(resolution, lists)
    for resolution in ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw")
    for lists in ("realiad_jsons/realiad_jsons", "realiad_jsons")
}
FIRST_VIEW = {
    ("realiad", f"official:{resolution}:{lists}"): realiad(resolution, lists)
    for resolution in ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw")
    for lists in ("realiad_jsons/realiad_jsons_sv", "realiad_jsons_sv")
}
PAIRS = {  # where images and masks lie, and what masks have after the stem
    "isic": ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth", "_Segmentation", "skin"),
    "clinicdb": ("Original", "Ground Truth", "", "colon"),
    "colondb": ("images", "masks", "", "colon"),
    "kvasir": ("images", "masks", "", "colon"),
    "endo": ("images", "masks", "", "colon"),
    "tn3k": ("tn3k/test-image", "tn3k/test-mask", "", "thyroid"),
}
UNCHANGED = {
    **{(name, "official"): lambda root: None for name in NAMES if name not in {"colondb", "dagm", "realiad"}},
    ("colondb", "bundle"): lambda root: None,
    ("dagm", "kaggle"): lambda root: None,
}
ARRANGED = {
    ("visa", "visa_pytorch"): visa_pytorch,
    ("dagm", "zenodo"): doubled_classes,
    ("headct", "rearranged"): headct_folders("brain"),
    ("headct", "bare"): headct_folders(""),
    ("brainmri", "flat"): lambda root: shutil.rmtree(root / "brain_tumor_dataset"),
    ("br35h", "flat"): lambda root: shutil.rmtree(root / "Br35H-Mask-RCNN"),
    **{("brainmri", layout): yes_and_no("brain_tumor_dataset", *rest) for layout, *rest in AS_TESTS},
    **{("br35h", layout): yes_and_no("", *rest) for layout, *rest in AS_TESTS},
    ("visa", "visa_pytorch_inside"): inside(visa_pytorch, "1cls"),
    ("isic", "regrouped"): isic_rearranged,
    ("isic", "doubled"): isic_doubled,
    **{(name, layout): by_label(name, rest) for name in ("ksdd", "ksdd2") for layout, rest in UNDIVIDED},
    **{(name, "rearranged"): as_mvtec(old, masks, own, "_mask", cut) for name, (old, masks, cut, own) in PAIRS.items()},
    **{(name, "bare"): as_mvtec(old, masks, "", "", cut) for name, (old, masks, cut, own) in PAIRS.items()},
    ("clinicdb", "bundle"): clinic_bundle,
    ("clinicdb", "kaggle"): clinic_kaggle,
    ("colondb", "original"): colon_original,
}
TEST_ONLY = {
    (name, layout) for name in ("tn3k", "ksdd2") for layout in ("rearranged", "bare")
}  # where the other part has no place
EVERY = {**UNCHANGED, **ARRANGED, **REALIAD}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A data root with all miniatures."""
    root = tmp_path_factory.mktemp("shelf")
    for name in NAMES:
        synthesise(name, root, 2)
    return root


@pytest.fixture
def copy(shelf, tmp_path):
    """`copy(name)` → a copy of one miniature, alone below a data root."""

    def make(name):
        folder = find_card(name).folders[0]
        return Path(shutil.copytree(shelf / folder, tmp_path / "data" / folder))

    return make


def load(name, root, **options):
    return load_dataset(name, [root], splits=tuple(find_card(name).expected), **options)


def content(found):
    """The samples without their paths."""
    keys = ["class", "label", "split"]
    return found.manifest.assign(masked=found.manifest["mask"] != "").groupby([*keys, "masked"]).size().to_dict()


def test_groups_stand_for_the_sixteen():
    assert set(read_targets(["all"])) == set(SIXTEEN)
    assert {*read_targets(["industrial"]), *read_targets(["medical"])} == set(SIXTEEN)
    assert read_targets(["mvtec2,ksdd,ksdd2"]) == ("mvtec2", "ksdd", "ksdd2")


def test_there_are_no_others_and_each_has_its_long_name():
    assert {card.name for card in all_cards() if not card.generated} == set(NAMES)
    long = {
        "mvtec_ad": "mvtec",
        "dagm2007": "dagm",
        "dtd_synthetic": "dtd",
        "real_iad": "realiad",
        "isic2016": "isic",
        "cvc_clinicdb": "clinicdb",
        "cvc_colondb": "colondb",
        "kvasir_seg": "kvasir",
        "endotect": "endo",
        "mvtec_ad_2": "mvtec2",
        "SDD": "ksdd",
        "SDD2": "ksdd2",
    }
    assert {name: find_card(name).name for name in long} == long


@pytest.mark.parametrize("name", NAMES)
def test_each_is_found_among_all_others_and_as_its_own_root(shelf, name):
    card = find_card(name)
    found = load(name, shelf)
    assert (found.root == shelf / card.folders[0]) or shelf / card.folders[0] in found.root.parents
    assert (found.synthetic, found.partial, dict(found.skipped)) == (True, False, {})
    assert load(name, shelf / card.folders[0]).fingerprint == found.fingerprint
    assert load(name, shelf).fingerprint == found.fingerprint
    check_masks(found)


@pytest.mark.parametrize("name", NAMES)
def test_levels_say_which_images_have_masks(shelf, name):
    frame = load(name, shelf).manifest
    normal, anomalous = frame[frame["label"] == 0], frame[frame["label"] == 1]
    assert (normal["mask"] == "").all()
    assert ((anomalous["mask"] != "") == find_card(name).pixel_level).all()
    assert normal.empty == (find_card(name).levels == ("pixel",))
    assert (normal["defect"] == "good").all()
    assert not frame["path"].duplicated().any()
    assert not (set(frame["path"]) & set(frame["mask"]))


@pytest.mark.parametrize("name", NAMES)
def test_another_copy_has_the_same_fingerprint_one_level_down_too(shelf, copy, name):
    root = copy(name)
    expected = load(name, shelf).fingerprint
    assert load(name, root.parent).fingerprint == expected
    below(root, "unpacked")
    found = load(name, root.parent)
    assert (found.fingerprint, found.synthetic) == (expected, True)
    assert "unpacked" in found.root.relative_to(root).parts


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_every_layout_gives_the_same_samples(shelf, copy, name, layout):
    root = copy(name)
    EVERY[name, layout](root)
    splits = ("test",) if (name, layout) in TEST_ONLY else tuple(find_card(name).expected)
    found = load_dataset(name, [root.parent], splits=splits)
    assert (found.layout, found.partial, found.synthetic) == (layout, False, True)
    assert content(found) == content(load_dataset(name, [shelf], splits=splits))
    check_masks(found)


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_the_case_of_inner_folders_does_not_matter(shelf, copy, name, layout):
    root = copy(name)
    EVERY[name, layout](root)
    splits = ("test",) if (name, layout) in TEST_ONLY else tuple(find_card(name).expected)
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        other = folder.name.upper() if folder.name.islower() else folder.name.lower()
        folder.rename(folder.with_name(other))
    found = load_dataset(name, [root.parent], splits=splits)
    assert (found.layout, found.partial) == (layout, False)
    assert content(found) == content(load_dataset(name, [shelf], splits=splits))


@pytest.mark.parametrize(("name", "layout"), FIRST_VIEW)
def test_real_iad_by_its_lists_of_the_first_view_is_named_and_short(shelf, copy, name, layout):
    root = copy(name)
    FIRST_VIEW[name, layout](root)
    with pytest.raises(DataError, match="realiad: incomplete: "):
        load(name, root.parent)
    found = load(name, root.parent, allow_partial=True)
    assert (found.layout, found.partial, set(found.manifest["view"])) == (layout, True, {"C1"})


def test_every_layout_of_every_card_is_tried():
    cards = [card for card in all_cards() if not card.generated]
    layouts = {(card.name, layout.name) for card in cards for layout in card.layouts}
    assert layouts - {(name, "anomalyclip") for name in NAMES} == {*EVERY, *FIRST_VIEW}


@pytest.mark.parametrize("name", NAMES)
def test_anomalyclips_table_comes_by_itself(shelf, copy, name):
    root, frame = copy(name), load_dataset(name, [shelf]).manifest
    base = shelf / find_card(name).folders[0]
    below(root, "files")
    entries = {}
    for row in frame.to_dict("records"):
        path, mask = (Path(row[key]).relative_to(base).as_posix() if row[key] else "" for key in ("path", "mask"))
        one = {"img_path": f"files/{path}", "mask_path": mask and f"{root}/files/{mask}", "anomaly": row["label"]}
        entries.setdefault(row["class"], []).append(one | {"cls_name": row["class"], "specie_name": ""})
    (root / "meta.json").write_text(json.dumps({"Test": entries}))
    found = load_dataset(name, [root.parent])
    assert (found.layout, found.root, found.partial) == ("anomalyclip", root, False)
    assert content(found) == content(load_dataset(name, [shelf]))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_image_and_a_missing_mask_are_told(copy, name):
    root = copy(name)
    frame = load_dataset(name, [root.parent]).manifest
    row = frame[frame["label"] == 1].iloc[0]
    if row["mask"] and name != "dagm":  # where a label file that is absent means a normal image
        Path(row["mask"]).rename(root / "aside")
        with pytest.raises(DataError, match=rf"{name}: .*{Path(row['mask']).name} is missing"):
            load_dataset(name, [root.parent])
        (root / "aside").rename(row["mask"])
    Path(row["path"]).unlink()
    with pytest.raises(DataError, match=rf"{name}: incomplete: .*1 of 2 anomalous"):
        load_dataset(name, [root.parent])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mvtec2"])  # of which no number is known
def test_a_miniature_without_its_record_is_an_incomplete_copy(copy, name):
    root = copy(name)
    (root / SYNTH).unlink()
    with pytest.raises(DataError, match=rf"{name}: incomplete: "):
        load_dataset(name, [root.parent])
    found = load_dataset(name, [root.parent], allow_partial=True)
    assert (found.partial, found.synthetic) == (True, False)
