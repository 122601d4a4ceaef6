"""Complete copies of empty files, arranged as in the downloads from official pages, from Kaggle, and from the authors
of AnomalyCLIP and AdaCLIP."""

import json

import pytest

from zsadbench.data import load_dataset
from zsadbench.errors import DataError


@pytest.fixture
def put(tmp_path):
    """`put("a/1.png", ...)` creates empty files below the data root."""

    def make(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return make


def pairs(images, masks, number, ends=(".png", ".png"), first=1):
    numbers = range(first, number + first)
    return [f"{images}/{n}{ends[0]}" for n in numbers] + [f"{masks}/{n}{ends[1]}" for n in numbers]


def counted(name, root, **more):
    found = load_dataset(name, [root], **more)
    labels = found.manifest["label"]
    assert not found.partial or more
    assert found.card.levels == ("image",) or (found.manifest["mask"] != "").all()
    return int((labels == 0).sum()), int((labels == 1).sum())


LITTER = ("__MACOSX/{0}/images/._1.png", "__MACOSX/{0}/masks/._1.png", "{0}/.DS_Store", "{0}/images/Thumbs.db")


def test_kvasir_seg_unpacked_into_a_folder_of_its_name(put):
    root = put(*pairs("Kvasir-SEG/Kvasir-SEG/images", "Kvasir-SEG/Kvasir-SEG/masks", 1000, (".jpg", ".jpg")))
    put("Kvasir-SEG/kavsir_bboxes.json", "Kvasir-SEG/Kvasir-SEG/kavsir_bboxes.json")
    put(*(f"Kvasir-SEG/{path.format('Kvasir-SEG')}" for path in LITTER))
    assert counted("kvasir", root) == (0, 1000)
    assert load_dataset("kvasir", [root]).notes == ()


def test_kvasir_of_the_figshare_bundle_beside_its_neighbours(put):
    for folder, number in (("Kvasir", 1000), ("CVC-ClinicDB", 612), ("CVC-ColonDB", 380)):
        root = put(*pairs(f"Polyp_DataSet/{folder}/images", f"Polyp_DataSet/{folder}/masks", number))
    for data_root in (root, root / "Polyp_DataSet"):
        assert counted("kvasir", data_root) == (0, 1000)
        assert counted("clinicdb", data_root) == (0, 612)
        assert counted("colondb", data_root) == (0, 380)


def test_kvasir_with_boxes_and_overlays_beside_it(put):
    root = put(*pairs("Kvasir-SEG/images", "Kvasir-SEG/masks", 1000, (".JPG", ".jpg")))
    put(*(f"Kvasir-SEG/bbox/{n}.csv" for n in range(3)), "Kvasir-SEG/annotated_images/1.jpg")
    assert counted("kvasir", root) == (0, 1000)
    found = load_dataset("kvasir", [root])
    assert (found.notes, found.unread) == ((), {}), "the card names the pictures with boxes"


@pytest.mark.parametrize("top", ["CVC-ClinicDB", "CVC-ClinicDB/CVC-ClinicDB", "archive", "cvc_clinicdb_2015"])
@pytest.mark.parametrize("part", ["", "TIF/"])
def test_clinicdb_as_tif(put, top, part):
    root = put(*pairs(f"{top}/{part}Original", f"{top}/{part}Ground Truth", 612, (".tif", ".TIF")))
    if part and top == "archive":  # three folders down, under a name that says nothing
        root = root / top
    assert counted("clinicdb", root) == (0, 612)


def test_clinicdb_of_kaggle_in_two_formats_counts_once(put):
    root = put("archive/metadata.csv", "archive/class_dict.csv")
    put(*pairs("archive/PNG/Original", "archive/PNG/Ground Truth", 612))
    put(*pairs("archive/TIF/Original", "archive/TIF/Ground Truth", 612, (".tif", ".tif")))
    for data_root in (root, root / "archive"):
        assert counted("clinicdb", data_root) == (0, 612)
    (root / "archive/PNG/Ground Truth/7.png").unlink()
    with pytest.raises(DataError, match=r"PNG/Ground Truth/7.png is missing \(the mask of PNG/Original/7.png\)"):
        counted("clinicdb", root)


@pytest.mark.parametrize("ends", [(".png", ".png"), (".jpg", ".png"), (".JPG", ".PNG"), (".tiff", ".tif")])
def test_the_whole_of_colondb_and_all_but_one(put, ends):
    root = put(*pairs("CVC-ColonDB/data/images", "CVC-ColonDB/data/masks", 380, ends))
    assert counted("colondb", root) == (0, 380)
    (root / f"CVC-ColonDB/data/images/380{ends[0]}").unlink()
    with pytest.raises(DataError, match="colondb: incomplete: colon: 379 of 380 anomalous; in "):
        counted("colondb", root)


# ---- HeadCT


def head_ct(top, start=0):
    return [f"{top}/{number:03d}.png" for number in range(start, 200 + start)]


@pytest.fixture
def labels(tmp_path):
    """`labels(folder, start=0)` writes labels.csv: the first hundred are normal, unlike in the benchmark."""

    def write(folder, start=0, header="id, hemorrhage"):
        lines = [header, *(f"{number + start},{int(number % 4 < 2)}" for number in range(200))]
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "labels.csv").write_text("\n".join(lines) + "\n")

    return write


@pytest.mark.parametrize("top", ["head-ct-hemorrhage", "archive", "HeadCT/archive", "headct_2020/x"])
@pytest.mark.parametrize("inner", ["head_ct/head_ct", "head_ct"])
def test_head_ct_of_kaggle(put, labels, top, inner):
    labels(top)
    root = put(*head_ct(f"{top}/{inner}"))
    assert counted("headct", root) == (100, 100)
    found = load_dataset("headct", [root]).manifest
    assert list(found["label"][:5]) == [1, 1, 0, 0, 1]


@pytest.mark.parametrize("allow", [False, True])
def test_head_ct_numbered_from_one_never_shifts_labels(put, labels, allow):
    labels("head_ct")
    root = put(*head_ct("head_ct/head_ct/head_ct", start=1))
    with pytest.raises(DataError, match=r"names '.*000.png', which is not there, while no row names '.*200.png'"):
        counted("headct", root, allow_partial=allow)
    labels("head_ct", start=1)
    assert counted("headct", root) == (100, 100)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("HeadCT_anomaly_detection/brain/test/good", "HeadCT_anomaly_detection/brain/test/hemorrhage"),
        ("HeadCT_anomaly_detection/HeadCT_anomaly_detection/brain/test/good",) * 2,
        ("headct/test/good", "headct/test/defect"),
        ("HeadCT/headct/test/good", "HeadCT/headct/test/Ungood"),
    ],
)
def test_head_ct_rearranged(put, good, bad):
    bad = bad.replace("good", "bad") if bad == good else bad
    root = put(*head_ct(good)[:100], *head_ct(bad)[100:], f"{good.split('/')[0]}/.DS_Store")
    (root / good.replace("test/good", "train/good")).mkdir(parents=True)
    assert counted("headct", root) == (100, 100)


@pytest.mark.parametrize("before", ["", "/remote-home/somebody/data/HeadCT_anomaly_detection/"])
@pytest.mark.parametrize("key", ["test", "Test"])
def test_head_ct_by_the_table_of_anomalyclip_alone(put, before, key):
    top = "HeadCT_anomaly_detection"
    root = put(*(f"{top}/pictures/{number}.png" for number in range(200)))
    rows = [
        {
            "img_path": f"{before}pictures/{number}.png",
            "mask_path": "",
            "cls_name": ("brain", "HeadCT")[number % 2],
            "specie_name": "",
            "anomaly": number % 2,
        }
        for number in range(200)
    ]
    (root / top / "meta.json").write_text(json.dumps({"train": {}, key: {"brain": rows}}))
    assert counted("headct", root) == (100, 100)


def test_brain_mri_and_br35h_with_what_lies_beside_them(put):
    normal = [f"no/{number} no.jpeg" for number in range(98)]
    tumour = [f"yes/Y{number}.JPG" for number in range(155)]
    root = put(*(f"archive/brain_tumor_dataset/{path}" for path in (*normal, *tumour)))
    put(*(f"archive/{path}" for path in (*normal, *tumour)))
    assert counted("brainmri", root) == (98, 155)
    assert counted("brainmri", root / "archive") == (98, 155)
    put(*(f"Br35H/Br35H/{kind}/{kind[0]}{n}.jpg" for kind in ("no", "yes") for n in range(1500)))
    put(*(f"Br35H/Br35H/Br35H-Mask-RCNN/TRAIN/y{n}.jpg" for n in range(500)), "Br35H/Br35H/pred/pred0.jpg")
    assert counted("br35h", root) == (1500, 1500)


def test_isic_and_tn3k_as_they_unpack(put):
    data, truth = "ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"
    stems = [f"ISIC_{number:07d}" for number in range(379)]
    root = put(*(f"{data}/{stem}.jpg" for stem in stems), *(f"{truth}/{stem}_Segmentation.png" for stem in stems))
    assert counted("isic", root) == (0, 379)
    again = "downloads/{0}/{0}/{1}".format
    put(*(again(data, f"{stem}.jpg") for stem in stems), *(again(truth, f"{stem}_Segmentation.png") for stem in stems))
    assert counted("isic", root / "downloads") == (0, 379)
    top = "Thyroid Dataset/tn3k"
    put(*(f"{top}/test-{kind}/{number:04d}.jpg" for kind in ("image", "mask") for number in range(614)))
    assert counted("tn3k", root) == (0, 614)


@pytest.mark.parametrize(
    ("folder", "number", "title"),
    [
        ("CVC-ColonDB", 612, "CVC-ClinicDB"),
        ("CVC-ColonDB", 1000, "Kvasir-SEG"),
        ("CVC-ColonDB", 62, "CVC-ClinicDB"),
        ("CVC-ClinicDB", 380, "CVC-ColonDB"),
        ("CVC-ColonDB", 400, ""),
    ],
)
def test_another_set_under_the_name_of_one_is_named_by_its_number_of_images(put, folder, number, title):
    root = put(*pairs(f"{folder}/images", f"{folder}/masks", number))
    name = folder.removeprefix("CVC-").lower()
    with pytest.raises(DataError) as caught:
        load_dataset(name, [root])
    assert (f"as many images as in {title}: probably that data set" in str(caught.value)) == bool(title)
    assert ("probably that data set" in str(caught.value)) == bool(title)
    found = load_dataset(name, [root], allow_partial=True)
    assert found.partial
    assert any("probably that data set" in note for note in found.notes) == bool(title)


def test_another_set_of_the_brain_is_named_by_both_labels(put):
    root = put(*(f"brainmri/{label}/{n}.png" for label in ("no", "yes") for n in range(1500)))
    with pytest.raises(DataError, match="as many images as in Br35H: probably that data set"):
        load_dataset("brainmri", [root])
