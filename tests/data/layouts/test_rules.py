"""Audit of the rules: example trees of every layout, which depend on every line of every card's layouts.

A scene is a file tree with the samples that must be read from it, written independently of the card. Its lines are

    image [> mask] | split label class [defect]     a sample
    + file                                          a file that is no sample

where the defect is given only for layouts that name it. Files are empty, except those in `contents`, texts or bytes.
"""

import copy
import io
import json
import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import pytest
from PIL import Image

from zsadbench.data import find_card
from zsadbench.data.cards.layout import ANOMALYCLIP
from zsadbench.data.cards.parse_card import card_of
from zsadbench.data.layouts.detect import detect_layout
from zsadbench.data.layouts.read import read_layout
from zsadbench.errors import DataError


@dataclass(frozen=True)
class Scene:
    """One tree of one benchmark, the `layout` that must be detected (empty for none), and the expected `error`."""

    card: str
    layout: str
    lines: str = ""
    contents: dict = field(default_factory=dict)
    error: str = ""


def mvtec_like(card, names):
    lines = [
        f"{name}/train/good/000.png | train 0 {name}\n{name}/test/good/000.png | test 0 {name}\n"
        f"{name}/test/crack/000.png > {name}/ground_truth/crack/000_mask.png | test 1 {name} crack"
        for name in names
    ]
    return Scene(card, "official", "\n".join(lines))


COLON_ORIGINAL = """
1.tiff > p1.tiff | test 1 colon
2.bmp > p2.bmp | test 1 colon
+ c1.bmp
+ cp1.tiff
+ s1.bmp
"""

MVTEC2 = """
vial/train/good/000_regular.png | train 0 vial
vial/validation/good/000_regular.png | validation 0 vial
vial/test_public/good/000_shift_1.png | test 0 vial
vial/test_public/bad/000_regular.png > vial/test_public/ground_truth/bad/000_regular_mask.png | test 1 vial bad
can/test_public/good/001_regular.png | test 0 can
+ vial/test_private/000_regular.png
+ vial/test_private_mixed/000_mixed.png
"""
KSDD = """
kos01/Part0.jpg | test 0 electrical commutators
kos01/Part1.jpg > kos01/Part1_label.bmp | test 1 electrical commutators
kos50/Part7.jpg > kos50/Part7_label.png | test 1 electrical commutators
+ kos01/Part0_label.bmp
+ notes/Part0.jpg
"""
KSDD2 = """
train/10000.png | train 0 surface
train/10001.png > train/10001_GT.png | train 1 surface
test/20000.png | test 0 surface
test/20001.png > test/20001_GT.png | test 1 surface
+ train/10000_GT.png
+ test/20000_GT.png
"""


def drawn(value):
    """A mask of one pixel, as PNG."""
    file = io.BytesIO()
    Image.new("L", (1, 1), value).save(file, "PNG")
    return file.getvalue()


def masks(blank, marked):
    return {path: drawn(0) for path in blank} | {path: drawn(255) for path in marked}


VISA_TABLE = """object,split,label,image,mask
candle,train,normal,candle/Data/Images/Normal/0000.JPG,
candle,test,normal,candle/Data/Images/Normal/0001.JPG,
pcb1,test,anomaly,pcb1/Data/Images/Anomaly/000.JPG,pcb1/Data/Masks/Anomaly/000.png
"""
VISA = """
candle/Data/Images/Normal/0000.JPG | train 0 candle
candle/Data/Images/Normal/0001.JPG | test 0 candle
pcb1/Data/Images/Anomaly/000.JPG > pcb1/Data/Masks/Anomaly/000.png | test 1 pcb1
"""
VISA_FOLDERS = """
{0}candle/train/good/0000.JPG | train 0 candle
{0}candle/test/good/0001.JPG | test 0 candle
{0}candle/test/bad/000.JPG > {0}candle/ground_truth/bad/000.png | test 1 candle
"""
DAGM = """
{0}/Train/0001.PNG | train 0 Class1
{0}/Train/0002.PNG > {0}/Train/Label/0002_label.PNG | train 1 Class1
{0}/Test/0003.PNG | test 0 Class1
{0}/Test/0004.PNG > {0}/Test/Label/0004_label.PNG | test 1 Class1
"""
YES_NO = """
{0}no/1 no.jpeg | test 0 brain
{0}yes/Y1.JPG | test 1 brain
"""
ISIC = "{0}/ISIC_0000003.jpg > {1}/ISIC_0000003_Segmentation.png | test 1 skin"
ISIC_DATA, ISIC_TRUTH = "ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"
HEADCT = {"labels.csv": "id, hemorrhage\n0,1\n12,0\n"}
TN3K = """
trainval-image/0000.jpg > trainval-mask/0000.jpg | trainval 1 thyroid
test-image/0000.jpg > test-mask/0000.jpg | test 1 thyroid
"""

SCENES = [
    mvtec_like("mvtec", ("bottle", "metal_nut")),
    mvtec_like("mpdd", ("connector",)),
    Scene("mvtec2", "official", MVTEC2),
    Scene("mvtec2", "", "+ vial/train/good/000_regular.png"),
    Scene(
        "ksdd",
        "official",
        KSDD,
        masks(["kos01/Part0_label.bmp"], ["kos01/Part1_label.bmp", "kos50/Part7_label.png"]),
    ),
    Scene("ksdd", "official", "+ kos01/Part0.jpg\n+ kos01/Part0_label.bmp", error="Part0_label.bmp' cannot be"),
    Scene("ksdd", "", "+ kos02/Part0.jpg"),
    Scene(
        "ksdd2",
        "official",
        KSDD2,
        masks(["train/10000_GT.png", "test/20000_GT.png"], ["train/10001_GT.png", "test/20001_GT.png"]),
    ),
    *(Scene("ksdd2", "", f"+ {part}/1.png") for part in ("train", "test")),
    Scene(
        "mpdd", "official", "tubes/test/anomalous/0.png > tubes/ground_truth/anomalous/0.png | test 1 tubes anomalous"
    ),
    Scene("visa", "official", VISA, {"split_csv/1cls.csv": VISA_TABLE}),
    Scene("visa", "official", "+ candle/Data/Images/Normal/0.JPG", error="take it from https://github.com/amazon-sc"),
    Scene(
        "visa",
        "official",
        "+ candle/Data/Images/Normal/0.JPG",
        {"split_csv/1cls.csv": "object,split,label,image,mask\ncandle,test,odd,candle/Data/Images/Normal/0.JPG,\n"},
        "label 'odd' is none of normal, anomaly",
    ),
    Scene("visa", "visa_pytorch", VISA_FOLDERS.format("1cls/")),
    Scene("visa", "visa_pytorch_inside", VISA_FOLDERS.format("")),
    Scene(
        "btad",
        "official",
        """
        01/train/ok/0000.bmp | train 0 01
        01/test/ok/0000.bmp | test 0 01
        01/test/ko/0000.bmp > 01/ground_truth/ko/0000.png | test 1 01
        03/test/ok/0000.bmp | test 0 03
        03/test/ko/0000.bmp > 03/ground_truth/ko/0000.bmp | test 1 03
        """,
    ),
    Scene("dagm", "kaggle", DAGM.format("Class1")),
    Scene("dagm", "zenodo", DAGM.format("Class1/Class1")),
    Scene(
        "dtd",
        "official",
        """
        Mesh_114/train/good/000.png | train 0 Mesh_114
        Mesh_114/test/good/000.png | test 0 Mesh_114
        Mesh_114/test/bad/000.png > Mesh_114/ground_truth/bad/000.png | test 1 Mesh_114
        Woven_001/test/bad/000.png > Woven_001/ground_truth/bad/000_mask.png | test 1 Woven_001
        """,
    ),
    Scene(
        "headct",
        "official",
        "head_ct/head_ct/000.png | test 1 brain\nhead_ct/head_ct/012.png | test 0 brain",
        HEADCT,
    ),
    Scene("headct", "official", "head_ct/000.png | test 1 brain\nhead_ct/012.png | test 0 brain", HEADCT),
    Scene(
        "headct", "official", "+ head_ct/000.png", {"labels.csv": "id, hemorrhage\n0,2\n"}, "label '2' is none of 0, 1"
    ),
    Scene("headct", "", "+ table/000.png", HEADCT),
    Scene("headct", "", "+ head_ct/000.png"),
    Scene("brainmri", "official", YES_NO.format("brain_tumor_dataset/") + "+ no/1 no.jpeg\n+ yes/Y1.JPG"),
    Scene("brainmri", "flat", YES_NO.format("") + "+ brain_tumor_dataset/no/1 no.jpeg"),
    Scene("brainmri", "flat", YES_NO.format("") + "+ brain_tumor_dataset/yes/Y1.JPG"),
    Scene("br35h", "official", YES_NO.format("") + "+ Br35H-Mask-RCNN/TRAIN/y1.jpg\n+ pred/pred1.jpg"),
    Scene("br35h", "", "+ no/1.jpg\n+ Br35H-Mask-RCNN/TRAIN/y1.jpg"),
    Scene("br35h", "", "+ yes/1.jpg\n+ Br35H-Mask-RCNN/TRAIN/y1.jpg"),
    Scene("br35h", "flat", YES_NO.format("") + "+ pred/pred1.jpg"),
    *(Scene(name, "", f"+ {folder}/1.jpg") for name in ("brainmri", "br35h") for folder in ("no", "yes")),
    Scene("isic", "official", ISIC.format(ISIC_DATA, ISIC_TRUTH)),
    Scene("isic", "", f"+ {ISIC_DATA}/ISIC_0000003.jpg"),
    Scene("isic", "", f"+ {ISIC_TRUTH}/ISIC_0000003_Segmentation.png"),
    Scene("isic", "doubled", ISIC.format(f"{ISIC_DATA}/{ISIC_DATA}", f"{ISIC_TRUTH}/{ISIC_TRUTH}")),
    Scene("isic", "official", ISIC.format(ISIC_DATA, ISIC_TRUTH) + f"\n+ {ISIC_DATA}/{ISIC_DATA}/x.txt"),
    Scene("isic", "official", ISIC.format(ISIC_DATA, ISIC_TRUTH) + f"\n+ {ISIC_TRUTH}/{ISIC_TRUTH}/x.txt"),
    Scene("isic", "regrouped", ISIC.format("skin/test/bad", f"skin/{ISIC_TRUTH}") + " bad"),
    Scene("isic", "", "+ skin/test/bad/ISIC_0000003.jpg"),
    Scene("isic", "", f"+ skin/{ISIC_TRUTH}/ISIC_0000003_Segmentation.png"),
    Scene("clinicdb", "official", "Original/1.tif > Ground Truth/1.tif | test 1 colon"),
    Scene("clinicdb", "official", "Original/1.png > Ground Truth/1.png | test 1 colon"),
    Scene("clinicdb", "", "+ Original/1.tif"),
    Scene("clinicdb", "", "+ Ground Truth/1.tif"),
    Scene("clinicdb", "kaggle", "PNG/Original/1.png > PNG/Ground Truth/1.png | test 1 colon\n+ TIF/Original/1.tif"),
    Scene("clinicdb", "", "+ PNG/Original/1.png"),
    Scene("clinicdb", "", "+ PNG/Ground Truth/1.png"),
    Scene("clinicdb", "bundle", "images/1.png > masks/1.png | test 1 colon"),
    Scene("colondb", "bundle", "images/1.png > masks/1.png | test 1 colon"),
    Scene("colondb", "bundle", "images/1.jpg > masks/1.PNG | test 1 colon"),
    Scene("colondb", "original", COLON_ORIGINAL),
    *(Scene("colondb", "", f"+ {name}") for name in ("1.tiff", "p1.tiff")),
    Scene("kvasir", "official", "images/cju.jpg > masks/cju.jpg | test 1 colon\n+ kavsir_bboxes.json"),
    Scene("kvasir", "official", "images/cju.png > masks/cju.png | test 1 colon"),
    Scene("endo", "official", "images/a.jpg > masks/a.jpg | test 1 colon"),
    Scene("tn3k", "official", TN3K),
    Scene("tn3k", "", "+ test-image/0000.jpg"),
    Scene("tn3k", "", "+ test-mask/0000.jpg"),
    *(
        Scene(name, "", f"+ {part}/1.png")
        for name in ("clinicdb", "colondb", "kvasir", "endo")
        for part in ("images", "masks")
    ),
]

TESTED = """
{0}train/good/0.png | train 0 brain
{0}test/good/1.png | test 0 brain
{0}test/ungood/2.JPG | test 1 brain ungood
+ {0}ground_truth/ungood/2.png
"""
MASKED = """
{0}test/polyp/1.png > {0}ground_truth/polyp/1_mask.png | test 1 colon polyp
{0}test/polyp/2.jpg > {0}ground_truth/polyp/2.jpg | test 1 colon polyp
"""
SCENES += [  # of the arrangements that every set with one class may be found in
    *(Scene(name, "rearranged", TESTED.format("brain/")) for name in ("headct", "brainmri", "br35h")),
    Scene("headct", "bare", TESTED.format("")),
    Scene("headct", "", "+ brain/test/ungood/2.png"),
    Scene("headct", "", "+ test/ungood/2.png"),
    *(Scene(name, "rearranged", MASKED.format("colon/")) for name in ("clinicdb", "colondb", "kvasir", "endo")),
    Scene("kvasir", "bare", MASKED.format("")),
    Scene("kvasir", "", "+ test/polyp/1.png"),
    Scene("kvasir", "", "+ ground_truth/polyp/1.png"),
    Scene("tn3k", "rearranged", MASKED.format("thyroid/").replace("colon", "thyroid")),
    Scene("isic", "bare", MASKED.format("").replace("colon", "skin")),
]

# ---- Real-IAD: lists by resolution and place

RESOLUTIONS = ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw")
LISTS = ("realiad_jsons/realiad_jsons", "realiad_jsons", "realiad_jsons/realiad_jsons_sv", "realiad_jsons_sv")
REALIAD_ROWS = {
    "meta": {"prefix": "audiojack/", "normal_class": "OK"},
    "train": [("OK", "OK/S0001/audiojack_0001_OK_C1_2.jpg", None)],
    "test": [
        ("OK", "OK/S0002/audiojack_0002_OK_C2_2.jpg", None),
        ("BX", "NG/BX/S0003/audiojack__0003_NG_BX_C3_2.jpg", "NG/BX/S0003/audiojack__0003_NG_BX_C3_2.png"),
        ("BX", "NG/BX/S0003/audiojack__0003_NG_BX_C4_2.jpg", None),
        ("OK", "OK/S0002/audiojack_0002_OK_C5_2.jpg", "OK/S0002/audiojack_0002_OK_C5_2.png"),
    ],
}
VIEWS = {"C1": "audiojack_0001_OK", "C2": "audiojack_0002_OK", "C3": "audiojack__0003_NG_BX"}
VIEWS |= {"C4": "audiojack__0003_NG_BX", "C5": "audiojack_0002_OK"}


def realiad_list(category="audiojack"):
    def row(code, image, mask):
        return {"category": category, "anomaly_class": code, "image_path": image, "mask_path": mask}

    rows = {key: value if key == "meta" else [row(*one) for one in value] for key, value in REALIAD_ROWS.items()}
    return json.dumps(rows)


def realiad(resolution, lists, between="audiojack"):
    lines = []
    for split in ("train", "test"):
        for code, image, mask in REALIAD_ROWS[split]:
            shown = bool(mask and code != "OK")
            pair = f"{resolution}/{between}/{image}" + (f" > {resolution}/{between}/{mask}" if shown else "")
            lines.append(f"{pair} | {split} {int(shown)} audiojack" + (f" {code}" if shown else ""))
    return Scene(
        "realiad", f"official:{resolution}:{lists}", "\n".join(lines), {f"{lists}/audiojack.json": realiad_list()}
    )


SCENES += [realiad(resolution, lists) for resolution in RESOLUTIONS for lists in LISTS]
SCENES += [
    realiad("realiad_1024", "realiad_jsons", "audiojack/audiojack"),
    Scene(
        "realiad",
        "official:realiad_1024:realiad_jsons",
        "+ realiad_1024/readme.txt",
        {"realiad_jsons/audiojack.json": realiad_list("camera")},
        "unknown class 'camera'",
    ),
    Scene("realiad", "", "+ realiad_1024/readme.txt"),
    Scene("realiad", "", "", {"realiad_jsons/audiojack.json": realiad_list()}),
]
NAMES = tuple(dict.fromkeys(scene.card for scene in SCENES))


def parsed(scene):
    """(image, mask, split, label, class, defect) of every sample, and every file of the tree."""
    samples, files = [], []
    for line in filter(None, map(str.strip, scene.lines.splitlines())):
        if line.startswith("+ "):
            files.append(line[2:])
            continue
        paths, about = line.split(" | ")
        image, _, mask = paths.partition(" > ")
        split, label, name, *defect = about.replace("electrical commutators", "electrical_commutators").split()
        name = name.replace("electrical_commutators", "electrical commutators")
        samples.append((image, mask, split, int(label), name, *(defect or ["anomaly" if label == "1" else "good"])))
        files += [image, mask] if mask else [image]
    return sorted(samples), files


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Every scene's root."""
    top = tmp_path_factory.mktemp("scenes")
    for number, scene in enumerate(SCENES):
        root = top / f"{number}"
        for path in parsed(scene)[1]:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        for path, text in scene.contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    return lambda scene: top / str(SCENES.index(scene))


def observed(card, root):
    """The detected layout, all its samples and their views; or the error."""
    layout = detect_layout(card, card.layouts, root)
    if layout is None:
        return "", [], {}
    try:
        reading = read_layout(card, layout, root)
    except DataError as failure:
        return layout.name, str(failure), {}
    samples = [(s.image, s.mask, s.split, s.label, s.class_name, s.defect) for s in reading.samples]
    return layout.name, sorted(samples), {s.view: s.sample for s in reading.samples if s.view}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.card}-{scene.layout or 'none'}")
def test_a_scene_is_read_as_it_is_written(built, scene):
    layout, samples, views = observed(find_card(scene.card), built(scene))
    assert layout == scene.layout
    if scene.error:
        assert scene.error in samples
    else:
        assert samples == parsed(scene)[0]
        assert views == (VIEWS if scene.card == "realiad" and samples else {})


def table_of(name):
    text = resources.files("zsadbench_datasets").joinpath("cards", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def deletions(value, trail=()):
    """The path to every field and every list item below `value`."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*trail, key)
        yield from deletions(value[key], (*trail, key))


def without(table, trail):
    less = copy.deepcopy(table)
    holder = less
    for key in trail[:-1]:
        holder = holder[key]
    del holder[trail[-1]]
    return less


def noticed(table, trail, name, built):
    """Whether without the item at `trail` a scene is read differently or the card is refused."""
    try:
        card = card_of(without(table, trail), f"{name}.toml")
    except DataError:
        return True
    whole = find_card(name)
    scenes = (built(scene) for scene in SCENES if scene.card == name)
    return any(observed(card, root) != observed(whole, root) for root in scenes)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_a_layout_can_be_left_out_unnoticed(built, name):
    table = table_of(name)
    unnoticed = [trail for trail in deletions(table["layouts"], ("layouts",)) if not noticed(table, trail, name, built)]
    assert unnoticed == []


META = {
    "meta.json": json.dumps(
        {
            "Test": {
                "polyps": [
                    {
                        "img_path": "a/1.png",
                        "mask_path": "b/x.png",
                        "cls_name": "colon",
                        "specie_name": "flat",
                        "anomaly": 1,
                    },
                    {"img_path": "a/2.png", "mask_path": "", "cls_name": "colon", "specie_name": "", "anomaly": 0},
                ]
            }
        }
    )
}
ODD = META["meta.json"].replace('"anomaly": 0', '"anomaly": 2')


def test_nothing_in_anomalyclips_table_can_be_left_out_unnoticed(tmp_path):
    roots = [tmp_path / name for name in ("right", "odd")]
    for root, text in zip(roots, (META["meta.json"], ODD), strict=True):
        for path in ("a/1.png", "a/2.png", "b/x.png"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        (root / "meta.json").write_text(text)

    def seen(layout):
        return [observed(replace(find_card("colondb"), layouts=(layout,)), root) for root in roots]

    whole = seen(ANOMALYCLIP)
    flat, good = ("a/1.png", "b/x.png", "test", 1, "colon", "flat"), ("a/2.png", "", "test", 0, "colon", "good")
    assert whole[0] == ("anomalyclip", [flat, good], {})
    assert "label '2' is none of 0, 1" in whole[1][1]
    columns = [
        {key: ANOMALYCLIP.columns[key] for key in ANOMALYCLIP.columns if key != one} for one in ANOMALYCLIP.columns
    ]
    less = [{"columns": left} for left in columns] + [{"normal": ()}, {"anomalous": ()}, {"probe": ("images",)}]
    assert [change for change in less if seen(replace(ANOMALYCLIP, **change)) == whole] == []


def test_the_audit_covers_every_card_and_sees_every_line_of_it():
    folder = Path(str(resources.files("zsadbench_datasets"))) / "cards"
    assert {path.stem for path in folder.glob("*.toml")} == {*NAMES, "demo", "demo-aux"}
    trails = list(deletions({"a": [{"b": 1}, 2], "c": {"d": []}}))
    assert trails == [("a",), ("a", 0), ("a", 0, "b"), ("a", 1), ("c",), ("c", "d")]
    assert without({"a": [1, 2]}, ("a", 0)) == {"a": [2]}
