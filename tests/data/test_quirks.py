"""What is odd about single benchmarks: each test fails without the rule that it is about."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import find_card, load_dataset, read_mask, synthesise
from zsadbench.errors import DataError


@pytest.fixture
def mini(tmp_path):
    """`mini(name, number=2)` → the root of a miniature below `tmp_path / "data"`."""
    return lambda name, number=2: synthesise(name, tmp_path / "data", number)


def load(name, root, **options):
    return load_dataset(name, [root.parent], **options)


def rows(found):
    """Rows by their path below the root."""
    return found.manifest.set_index("relative").to_dict("index")


def masks(found):
    return {path: Path(row["mask"]).name for path, row in rows(found).items() if row["mask"]}


# ---- industrial


def test_mpdd_takes_a_mask_without_suffix_too(mini):
    root = mini("mpdd")
    folder = root / "connector/ground_truth/parts_mismatch"
    (folder / "001_mask.png").rename(folder / "001.png")
    found = masks(load("mpdd", root))
    assert found["connector/test/parts_mismatch/000.png"] == "000_mask.png"
    assert found["connector/test/parts_mismatch/001.png"] == "001.png"


def test_btad_pairs_bmp_with_png_and_bmp_with_bmp(mini):
    found = masks(load("btad", mini("btad")))
    assert found["01/test/ko/0000.bmp"] == "0000.png"
    assert found["02/test/ko/0000.png"] == "0000.png"
    assert found["03/test/ko/0000.bmp"] == "0000.bmp"


def test_btad_as_rewritten_in_png_by_other_tools(mini):
    root = mini("btad")
    for path in root.rglob("*.bmp"):
        with Image.open(path) as image:
            image.save(path.with_suffix(".png"))
        path.unlink()
    assert masks(load("btad", root))["03/test/ko/0001.png"] == "0001.png"


def test_btad_keeps_its_labels_where_a_mask_is_blank(mini, draw):
    root = mini("btad")
    draw(root / "02/ground_truth/ko/0001.png", size=(60, 60), mode="L", fill=0)
    assert rows(load("btad", root))["02/test/ko/0001.png"]["label"] == 1


def test_dagm_is_normal_where_no_label_file_is(mini):
    found = load("dagm", mini("dagm"), splits=("train", "test"))
    assert {path: (row["label"], row["split"]) for path, row in rows(found).items() if path.startswith("Class7/")} == {
        "Class7/Train/0001.PNG": (0, "train"),
        "Class7/Train/0002.PNG": (1, "train"),
        "Class7/Train/0003.PNG": (0, "train"),
        "Class7/Train/0004.PNG": (1, "train"),
        "Class7/Test/0005.PNG": (0, "test"),
        "Class7/Test/0006.PNG": (1, "test"),
        "Class7/Test/0007.PNG": (0, "test"),
        "Class7/Test/0008.PNG": (1, "test"),
    }
    assert found.notes == (), "neither labels nor Labels.txt nor Thumbs.db are images"


def test_dagm_pairs_by_the_exact_stem_and_whatever_the_label_shows(mini, draw):
    root = mini("dagm")
    labels = root / "Class1/Test/Label"
    draw(labels / "0006_label.PNG", size=(64, 64), mode="L", fill=0)
    draw(labels / "10005_label.PNG", size=(64, 64), mode="L")
    found = load("dagm", root)
    assert masks(found)["Class1/Test/0006.PNG"] == "0006_label.PNG"
    assert rows(found)["Class1/Test/0005.PNG"]["label"] == 0
    assert found.notes == ("1 image files that the layout does not speak of are passed over",)


def test_dagm_without_any_label_of_a_class_is_incomplete(mini):
    root = mini("dagm")
    shutil.rmtree(root / "Class3/Test/Label")
    (root / "zsadbench-synth.json").unlink()
    with pytest.raises(DataError, match=r"dagm: incomplete: in all: 40 of 8050 images; Class3: 4 of 491 normal, 0 of"):
        load("dagm", root)


def test_dtd_takes_masks_under_both_names_and_folders_in_lower_case(mini):
    root = mini("dtd")
    folder = root / "DTD-Synthetic/Woven_127/ground_truth/bad"
    (folder / "001.png").rename(folder / "001_mask.png")
    (root / "DTD-Synthetic/Mesh_114").rename(root / "DTD-Synthetic/mesh_114")
    found = load("dtd", root)
    assert found.root == root / "DTD-Synthetic"
    assert masks(found)["Woven_127/test/bad/001.png"] == "001_mask.png"
    assert rows(found)["mesh_114/test/bad/000.png"]["class"] == "Mesh_114"


# ---- Real-IAD


def lists(root, name="audiojack"):
    return root / "realiad_jsons/realiad_jsons" / f"{name}.json"


def change(root, edit, name="audiojack"):
    content = json.loads(lists(root, name).read_text())
    edit(content)
    lists(root, name).write_text(json.dumps(content))


def test_realiad_is_normal_where_the_defect_is_invisible(mini):
    found = load("realiad", mini("realiad", 4))
    odd = found.manifest[found.manifest["relative"].str.contains("/audiojack/NG/")]
    assert sorted(zip(odd["label"], odd["defect"] != "good", odd["mask"] != "", strict=True)) == [
        (0, False, False),
        (0, False, False),
        *[(1, True, True)] * 4,
    ]
    named = odd[odd["label"] == 1]
    assert [Path(mask).stem for mask in named["mask"]] == [Path(path).stem for path in named["path"]]
    assert set(named["defect"]) <= {"BX", "AK", "HS", "PS"}


def test_realiad_knows_views_and_objects_and_others_do_not(mini):
    frame = load("realiad", mini("realiad", 4)).manifest
    one = frame[frame["sample"] == "bottle_cap__0001_NG_AK"]
    assert dict(zip(one["view"], one["label"], strict=True)) == {"C1": 1, "C2": 1, "C3": 1, "C4": 0, "C5": 0}
    assert set(frame["view"]) == {"C1", "C2", "C3", "C4", "C5"}
    assert "audiojack_0005_OK" in set(frame["sample"])
    other = load("colondb", mini("colondb")).manifest
    assert set(other["view"]) == set(other["sample"]) == {""}


def test_realiad_reads_the_lists_and_not_the_folders(mini, draw):
    root = mini("realiad")
    draw(root / "realiad_1024/audiojack/OK/S0099/audiojack_0099_OK_C1_2.jpg")
    change(root, lambda content: content["test"].pop(0))
    with pytest.raises(DataError, match=r"realiad: incomplete: audiojack: 1 of 2 normal"):
        load("realiad", root)


def test_realiad_says_which_pictures_were_read(mini):
    root = mini("realiad")
    shutil.copytree(root / "realiad_1024", root / "realiad_256")
    assert load("realiad", root).layout == "official:realiad_1024:realiad_jsons/realiad_jsons"
    shutil.rmtree(root / "realiad_1024")
    assert load("realiad", root).layout == "official:realiad_256:realiad_jsons/realiad_jsons"


def test_realiad_follows_the_prefix_or_a_doubled_class_folder(mini):
    root = mini("realiad")
    (root / "realiad_1024/audiojack").rename(root / "realiad_1024/elsewhere")
    change(root, lambda content: content["meta"].update(prefix="elsewhere/"))
    (root / "realiad_1024/zipper").rename(root / "realiad_1024/inner")
    (root / "realiad_1024/inner").rename(root / "realiad_1024/zipper_")
    (root / "realiad_1024/zipper").mkdir()
    (root / "realiad_1024/zipper_").rename(root / "realiad_1024/zipper/zipper")
    found = set(load("realiad", root).manifest["relative"].str.split("/").str[:3].str.join("/"))
    assert {"realiad_1024/elsewhere/OK", "realiad_1024/zipper/zipper"} <= found


def test_realiad_names_a_class_without_list(mini):
    root = mini("realiad")
    lists(root, "mint").unlink()
    with pytest.raises(DataError, match=r"realiad: incomplete: 1 of 30 classes missing \(mint\)"):
        load("realiad", root)
    (root / "zsadbench-synth.json").unlink()
    with pytest.raises(DataError, match=r"1 of 30 classes missing \(mint\); in all: 116 of 114585 images; in '"):
        load("realiad", root)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c["test"][0].update(image_path="../../../secret.jpg"), "leaves the root"),
        (lambda c: c["meta"].update(prefix="../../.."), "leaves the root"),
        (lambda c: c["meta"].update(prefix=7), "'prefix' must be a text, not 7"),
        (lambda c: c.update(meta=[]), "meta: an object is needed"),
        (lambda c: c.update(extra={}), "extra: a list of samples is needed"),
        (lambda c: c["test"][0].update(category="camera"), "unknown class 'camera'"),
        (lambda c: c["test"][-1].pop("image_path"), "no image is named"),
        (lambda c: c["test"][1].update(anomaly_class=None), "label 'None' is none of OK"),
        (lambda c: c["train"].append(c["test"][0]), "a second time, and otherwise"),
    ],
)
def test_a_wrong_list_of_realiad_is_named(mini, edit, words):
    root = mini("realiad")
    change(root, edit)
    with pytest.raises(DataError, match=words) as caught:
        load("realiad", root, allow_partial=True)
    assert "audiojack.json" in str(caught.value)


# ---- medical


def test_headct_reads_a_header_with_a_space_and_fills_numbers_up(mini):
    root = mini("headct", 6)
    assert (root / "labels.csv").read_text().splitlines()[:3] == ["id, hemorrhage", "0,1", "1,0"]
    found = rows(load("headct", root))
    assert found["head_ct/head_ct/000.png"]["label"] == 1
    assert found["head_ct/head_ct/011.png"]["label"] == 0
    assert len(found) == 12


def test_headct_takes_images_one_folder_up_too(mini):
    root = mini("headct")
    for path in (root / "head_ct/head_ct").iterdir():
        path.rename(root / "head_ct" / path.name)
    assert set(rows(load("headct", root))) == {f"head_ct/00{number}.png" for number in range(4)}


def test_headct_goes_by_the_table_and_what_it_names_must_be_there(mini):
    root = mini("headct")
    (root / "head_ct/head_ct/000.png").rename(root / "head_ct/head_ct/004.png")
    with pytest.raises(DataError, match=r"headct: incomplete: brain: 1 of 2 anomalous; .* first head_ct/head_ct/000"):
        load("headct", root)
    (root / "labels.csv").write_text("id, hemorrhage\n../../../1,0\n")
    with pytest.raises(DataError, match=r"labels.csv' line 2: '.*' leaves the root"):
        load("headct", root)


def test_br35h_leaves_out_what_has_no_label_and_what_is_there_twice(mini):
    found = load("br35h", mini("br35h", 3))
    assert {path.split("/")[0] for path in rows(found)} == {"no", "yes"}
    assert found.notes == ("6 image files that the layout does not speak of are passed over",)


def test_isic_pairs_by_the_suffix_of_its_masks(mini):
    found = masks(load("isic", mini("isic")))
    assert found["ISBI2016_ISIC_Part1_Test_Data/ISIC_0000011.jpg"] == "ISIC_0000011_Segmentation.png"


def test_isic_lies_in_the_root_itself_as_its_archives_unpack(mini, tmp_path):
    root = mini("isic")
    root.rename(tmp_path / "downloads")
    assert load_dataset("isic", [tmp_path / "downloads"]).root == tmp_path / "downloads"


def test_clinicdb_keeps_the_space_in_its_folder(mini):
    found = load("clinicdb", mini("clinicdb"))
    assert found.manifest["mask"][0] == str(found.root / "Ground Truth/1.tif")


@pytest.mark.parametrize("name", ["kvasir", "endo", "tn3k"])
def test_masks_in_jpeg_are_cut_in_the_middle(mini, name):
    card, found = find_card(name), load(name, mini(name))
    assert card.positive == ">= 128"
    for mask in found.manifest["mask"]:
        with Image.open(mask) as image:
            grey = np.asarray(image.convert("L"))
        assert ((grey > 0) & (grey < 128)).any(), "the compression leaves grey values"
        cut = read_mask(mask, card.positive)
        assert (cut == (grey > 127)).all()
        assert 0 < cut.sum() < read_mask(mask).sum()


@pytest.mark.parametrize(("name", "images", "kept"), [("kvasir", "images", "masks"), ("endo", "images", "masks")])
def test_colons_in_png_as_the_bundle_has_them(mini, name, images, kept):
    root = mini(name)
    for path in [*(root / images).iterdir(), *(root / kept).iterdir()]:
        with Image.open(path) as image:
            image.save(path.with_suffix(".png"))
        path.unlink()
    assert {Path(mask).suffix for mask in load(name, root).manifest["mask"]} == {".png"}


def test_tn3k_is_found_below_a_folder_with_a_space_and_tests_on_its_test_part(mini):
    root = mini("tn3k")
    found = load("tn3k", root)
    assert (root.name, found.root) == ("Thyroid Dataset", root / "tn3k")
    assert set(rows(found)) == {"test-image/0000.jpg", "test-image/0001.jpg"}
    assert len(load("tn3k", root, splits=("trainval",)).manifest) == 2


def test_the_300_frames_of_the_older_colondb_are_refused(mini, draw, tmp_path):
    for number in range(3):
        draw(tmp_path / f"data/CVC-ColonDB/{number}.bmp")
        draw(tmp_path / f"data/CVC-ColonDB/p{number}.bmp", mode="L")
    with pytest.raises(DataError, match=r"not the 300 frames p<n>\.bmp of the older CVC page"):
        load_dataset("colondb", [tmp_path / "data"])
