"""Quirks of single benchmarks; each test fails without the rule for its quirk."""

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


def test_btad_keeps_its_labels_where_a_mask_is_blank(mini, write_image):
    root = mini("btad")
    write_image(root / "02/ground_truth/ko/0001.png", size=(60, 60), mode="L", fill=0)
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


def test_dagm_pairs_by_the_exact_stem_and_whatever_the_label_shows(mini, write_image):
    root = mini("dagm")
    labels = root / "Class1/Test/Label"
    write_image(labels / "0006_label.PNG", size=(64, 64), mode="L", fill=0)
    write_image(labels / "10005_label.PNG", size=(64, 64), mode="L")
    found = load("dagm", root)
    assert masks(found)["Class1/Test/0006.PNG"] == "0006_label.PNG"
    assert rows(found)["Class1/Test/0005.PNG"]["label"] == 0
    assert found.unread == {"Class1": (1, "Class1/Test/Label/10005_label.PNG")}


def test_dagm_without_any_label_of_a_class_is_incomplete(mini):
    root = mini("dagm")
    shutil.rmtree(root / "Class3/Test/Label")
    (root / "zsadbench-synth.json").unlink()
    with pytest.raises(DataError, match=r"dagm: incomplete: in all: 40 of 8050 images; .*Class3: 4 of 491 .*, 0 of"):
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
    (root / "head_ct/head_ct/002.png").unlink()
    with pytest.raises(DataError, match=r"headct: incomplete: brain: 1 of 2 anomalous; 1 .* first head_ct/head_ct/002"):
        load("headct", root)
    assert len(load("headct", root, allow_partial=True).manifest) == 3
    (root / "labels.csv").write_text("id, hemorrhage\n../../../1,0\n")
    with pytest.raises(DataError, match=r"labels.csv' line 2: '.*' leaves the root"):
        load("headct", root)


def test_headct_numbered_from_one_is_refused_or_read_by_a_table_that_says_so(mini):
    root = mini("headct", 3)
    folder, table = root / "head_ct/head_ct", (root / "labels.csv").read_text()
    right = {path: row["label"] for path, row in rows(load("headct", root)).items()}
    for number in reversed(range(6)):
        (folder / f"{number:03d}.png").rename(folder / f"{number + 1:03d}.png")
    for allow in (False, True):
        with pytest.raises(DataError, match=r"labels.csv names '.*000.png', which .* no row names '.*006.png'"):
            load("headct", root, allow_partial=allow)
    header, *lines = table.splitlines()
    later = [f"{int(line.split(',')[0]) + 1},{line.split(',')[1]}" for line in lines]
    (root / "labels.csv").write_text("\n".join([header, *later]))
    shifted = {path: row["label"] for path, row in rows(load("headct", root)).items()}
    assert list(shifted.values()) == list(right.values())
    assert min(shifted) == "head_ct/head_ct/001.png"


def test_br35h_leaves_out_what_has_no_label_and_what_is_there_twice(mini):
    found = load("br35h", mini("br35h", 3))
    assert {path.split("/")[0] for path in rows(found)} == {"no", "yes"}
    assert (found.notes, found.unread) == ((), {})


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
        assert 0 < cut.sum() < read_mask(mask, "!= 0").sum()


@pytest.mark.parametrize("ext", ["png", "bmp", "tif", "tiff", "jpg", "jpeg"])
@pytest.mark.parametrize(("name", "folder"), [("clinicdb", "Ground Truth"), ("kvasir", "masks")])
def test_masks_may_be_stored_in_other_formats(mini, name, folder, ext):
    root = mini(name)
    _converted(root / folder, ext)
    assert {Path(mask).suffix for mask in load(name, root).manifest["mask"]} == {f".{ext}"}


def test_masks_of_clinicdb_and_colondb_are_cut_in_the_middle_where_somebody_made_them_jpeg(mini):
    for name, folder in (("colondb", "masks"), ("clinicdb", "Ground Truth")):
        root, rule = mini(name), find_card(name).positive
        first = sorted((root / folder).iterdir())[0]
        exact = read_mask(first, rule)
        low = first.with_name(f"low{first.suffix}")
        Image.fromarray(exact * np.uint8(3)).save(low)
        assert (read_mask(low, rule) == exact).all(), "of other formats every grey counts"
        low.unlink()
        _converted(root / folder, "jpg")
        (mask,) = [path for path in load(name, root).manifest["mask"] if Path(path).stem == first.stem]
        assert read_mask(mask, "!= 0").sum() > read_mask(mask, rule).sum()
        assert (read_mask(mask, rule) != exact).mean() < 0.002


def _converted(folder, ext):
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            image.load()
        path.unlink()
        image.save(path.with_suffix(f".{ext}"))


def test_tn3k_is_found_below_a_folder_with_a_space_and_tests_on_its_test_part(mini):
    root = mini("tn3k")
    found = load("tn3k", root)
    assert (root.name, found.root) == ("Thyroid Dataset", root / "tn3k")
    assert set(rows(found)) == {"test-image/0000.jpg", "test-image/0001.jpg"}
    assert len(load("tn3k", root, splits=("trainval",)).manifest) == 2
