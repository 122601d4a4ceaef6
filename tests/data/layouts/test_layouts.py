import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from zsadbench.data import find_card
from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import ANOMALYCLIP, FilesLayout, Rule
from zsadbench.data.layouts.detect import detect_layout
from zsadbench.data.layouts.file_tree import FileTree
from zsadbench.data.layouts.read import read_layout
from zsadbench.errors import DataError

MVTEC = find_card("mvtec")
VISA = find_card("visa")
COLON = find_card("colondb")
BRAIN = find_card("brainmri")


def by_image(reading):
    return {sample.image: sample for sample in reading.samples}


def read(card, root, place=0):
    return read_layout(card, card.layouts[place], root)


def test_the_first_rule_that_matches_decides(tmp_path, write_image):
    write_image(tmp_path / "bottle/test/good/000.png")
    write_image(tmp_path / "bottle/test/crack/000.png")
    write_image(tmp_path / "bottle/train/good/000.png")
    found = by_image(read(MVTEC, tmp_path))
    assert {path: (sample.label, sample.defect, sample.split) for path, sample in found.items()} == {
        "bottle/test/good/000.png": (0, "good", "test"),
        "bottle/test/crack/000.png": (1, "crack", "test"),
        "bottle/train/good/000.png": (0, "good", "train"),
    }


def test_masks_are_paired_by_name_not_by_position(tmp_path, write_image):
    for stem in ("000", "001", "002"):
        write_image(tmp_path / f"bottle/test/crack/{stem}.png")
    for stem in ("000", "002"):
        write_image(tmp_path / f"bottle/ground_truth/crack/{stem}_mask.png", mode="L")
    found = by_image(read(MVTEC, tmp_path))
    assert found["bottle/test/crack/002.png"].mask == "bottle/ground_truth/crack/002_mask.png"
    assert found["bottle/test/crack/001.png"].mask == ""
    assert found["bottle/test/crack/001.png"].wanted == "bottle/ground_truth/crack/001_mask.png"


def test_a_label_never_comes_from_a_mask(tmp_path, write_image):
    write_image(tmp_path / "images/1.png")
    write_image(tmp_path / "masks/1.png", mode="L", fill=0)
    (sample,) = read(COLON, tmp_path).samples
    assert (sample.label, sample.mask) == (1, "masks/1.png")


def test_a_normal_image_has_no_mask_even_if_a_file_is_there(tmp_path, write_image):
    write_image(tmp_path / "bottle/test/good/000.png")
    write_image(tmp_path / "bottle/ground_truth/good/000_mask.png", mode="L")
    (sample,) = read(MVTEC, tmp_path).samples
    assert (sample.label, sample.mask, sample.wanted) == (0, "", "")


def test_masks_of_a_rule_for_normal_images_are_not_used(tmp_path, write_image):
    rule = Rule("{stem}.{ext}", "test", 0, ("m/{stem}.png",))
    write_image(tmp_path / "1.png")
    write_image(tmp_path / "m/1.png", mode="L")
    assert read(replace(COLON, layouts=(FilesLayout("own", (), (rule,)),)), tmp_path).samples[0].mask == ""


def test_extensions_count_whatever_their_case_and_each_file_once(tmp_path, write_image):
    for name in ("1 no.jpeg", "N1.JPG", "no 9.png", "no.jpg", "x.Tiff"):
        write_image(tmp_path / "no" / name, mode="L")
    write_image(tmp_path / "yes/Y1.JPG")
    (tmp_path / "no/notes.txt").write_text("-")
    (tmp_path / "no/.DS_Store").write_text("-")
    write_image(tmp_path / "no/._no.jpg")
    reading = read(BRAIN, tmp_path, 1)
    assert len(reading.samples) == 6
    assert len(by_image(reading)) == 6


def test_a_mask_is_found_whatever_the_case_of_its_extension(tmp_path, write_image):
    write_image(tmp_path / "images/1.JPG")
    write_image(tmp_path / "masks/1.PNG", mode="L")
    assert read(COLON, tmp_path).samples[0].mask == "masks/1.PNG"


def test_images_that_an_archive_holds_twice_are_read_once_and_not_left_out(tmp_path, write_image):
    for folder in ("brain_tumor_dataset/no", "brain_tumor_dataset/yes", "no", "yes"):
        write_image(tmp_path / folder / "1.jpg")
    reading = read(BRAIN, tmp_path)
    assert [sample.image for sample in reading.samples] == [
        "brain_tumor_dataset/no/1.jpg",
        "brain_tumor_dataset/yes/1.jpg",
    ]
    assert reading.left_out == {}


def test_a_mask_without_an_image_is_left_out(tmp_path, write_image):
    write_image(tmp_path / "images/1.png")
    write_image(tmp_path / "masks/1.png", mode="L")
    write_image(tmp_path / "masks/2.png", mode="L")
    assert read(COLON, tmp_path).left_out == {"colon": (1, "masks/2.png")}


def test_an_unknown_class_is_an_error_with_its_path(tmp_path, write_image):
    write_image(tmp_path / "bottel/test/good/000.png")
    with pytest.raises(
        DataError, match=r"mvtec: unknown class 'bottel' in '.*bottel/test/good/000.png'; known: bottle"
    ):
        read(MVTEC, tmp_path)


def test_a_repeated_capture_must_be_equal(tmp_path, write_image):
    rule = Rule("{class}/{class}/{stem}.{ext}", "test", 0)
    card = Card("x", "x", "industrial", ("image",), {"a": "a", "b": "b"}, (FilesLayout("own", (), (rule,)),))
    write_image(tmp_path / "a/a/1.png")
    write_image(tmp_path / "a/b/2.png")
    assert [sample.image for sample in read(card, tmp_path).samples] == ["a/a/1.png"]


def test_links_are_followed_but_never_in_a_circle(tmp_path, write_image):
    write_image(tmp_path / "store/1.png")
    root = tmp_path / "set"
    root.mkdir()
    (root / "images").symlink_to(tmp_path / "store")
    (tmp_path / "store/again").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    (root / "images/2.png").symlink_to(tmp_path / "gone")
    assert list(by_image(read(COLON, root))) == ["images/1.png"]
    assert FileTree(root).files == ["images/1.png"]
    assert sorted(FileTree(root).stray) == ["images/2.png", "images/again", "loop"]
    assert read(COLON, root).notes == (f"3 links lead nowhere or in a circle, first 'images/2.png' in '{root}'",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    (tmp_path / "images").mkdir(mode=0)
    with pytest.raises(DataError, match=r"images' cannot be listed"):
        read(COLON, tmp_path)


# ---- the csv of VisA


def visa_csv(root, *rows, header="object,split,label,image,mask"):
    (root / "split_csv").mkdir(parents=True, exist_ok=True)
    (root / "split_csv/1cls.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_a_csv_row_becomes_a_sample(tmp_path, write_image):
    write_image(tmp_path / "candle/Data/Images/Anomaly/000.JPG")
    write_image(tmp_path / "candle/Data/Masks/Anomaly/000.png", mode="L")
    row = "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png"
    visa_csv(tmp_path, row, row)
    (sample,) = read(VISA, tmp_path).samples
    assert sample == (
        "candle/Data/Images/Anomaly/000.JPG",
        "candle/Data/Masks/Anomaly/000.png",
        1,
        "candle",
        "anomaly",
        "test",
        "",
        "split_csv/1cls.csv",
        "",
        "",
    )


def test_a_csv_may_have_a_byte_order_mark_padded_headers_and_a_file_in_the_other_case(tmp_path, write_image):
    write_image(tmp_path / "candle/1.jpg")
    visa_csv(tmp_path, "candle, Test ,normal,candle/1.JPG,", header="\ufeffobject, split,label ,image,mask")
    (sample,) = read(VISA, tmp_path).samples
    assert (sample.image, sample.split, sample.label) == ("candle/1.jpg", "test", 0)


def test_an_image_that_is_named_but_not_there_is_told_apart(tmp_path):
    visa_csv(tmp_path, "candle,test,normal,candle/1.JPG,")
    reading = read(VISA, tmp_path)
    assert (reading.samples, [sample.image for sample in reading.absent]) == ([], ["candle/1.JPG"])


@pytest.mark.parametrize("path", ["../secret.png", "candle/../../secret.png", "/etc/secret.png", "..\\secret.png"])
def test_a_path_of_a_table_must_stay_below_the_root(tmp_path, write_image, path):
    root = tmp_path / "set"
    write_image(tmp_path / "secret.png")
    visa_csv(root, f"candle,test,normal,{path},")
    with pytest.raises(DataError, match=r"1cls.csv' line 2: '.*secret.png' leaves the root"):
        read(VISA, root)


def test_a_mask_of_a_table_must_stay_below_the_root(tmp_path, write_image):
    write_image(tmp_path / "set/candle/1.JPG")
    visa_csv(tmp_path / "set", "candle,test,anomaly,candle/1.JPG,../1.png")
    with pytest.raises(DataError, match=r"'\.\./1\.png' leaves the root"):
        read(VISA, tmp_path / "set")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["candle,test,weird,candle/1.JPG,"], r"line 2: label 'weird' is none of normal, anomaly"),
        (["candel,test,normal,candle/1.JPG,"], r"unknown class 'candel'"),
        (["candle,test,normal"], r"line 2: no image is named"),
        (['candle,test,normal,"candle'], r"1cls.csv' line \d: unexpected end of data"),
        (
            ["candle,test,normal,candle/1.JPG,", "candle,test,anomaly,candle/1.JPG,"],
            r"line 3: names 'candle/1.JPG' a second time, and otherwise",
        ),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(tmp_path, write_image, rows, words):
    write_image(tmp_path / "candle/1.JPG")
    visa_csv(tmp_path, *rows)
    with pytest.raises(DataError, match=words):
        read(VISA, tmp_path)


def test_a_missing_column_and_a_missing_table_are_named(tmp_path):
    with pytest.raises(
        DataError, match=r"1cls.csv' is missing.*take it from https://github.com/amazon-science/spot-diff"
    ):
        read(VISA, tmp_path)
    visa_csv(tmp_path, header="object,split,label,image")
    with pytest.raises(DataError, match=r"1cls.csv' has no column 'mask', only: object, split, label, image"):
        read(VISA, tmp_path)
    (tmp_path / "split_csv/1cls.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"1cls.csv' is no text in UTF-8"):
        read(VISA, tmp_path)


# ---- AnomalyCLIP's meta.json


def meta(root, content):
    root.mkdir(exist_ok=True)
    (root / "meta.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def entry(image, mask="", anomaly=1, **more):
    return {"img_path": image, "mask_path": mask, "cls_name": "colon", "specie_name": "", "anomaly": anomaly} | more


def read_meta(root, card=COLON):
    return read_layout(card, ANOMALYCLIP, root)


@pytest.mark.parametrize("split", ["test", "Test", "TEST"])
def test_split_keys_count_whatever_their_case(tmp_path, write_image, split):
    write_image(tmp_path / "images/1.png")
    meta(tmp_path, {split: {"colon": [entry("images/1.png", anomaly=True)]}})
    (sample,) = read_meta(tmp_path).samples
    assert (sample.split, sample.label, sample.class_name) == ("test", 1, "colon")


@pytest.mark.parametrize(
    "before", ["", "CVC-ColonDB/", "./data/CVC-ColonDB/", "data/colondb/", "{root}/", "/mnt/disk/CVC-ColonDB/"]
)
def test_image_paths_may_carry_the_root(tmp_path, write_image, before):
    root = tmp_path / "CVC-ColonDB"
    write_image(root / "images/1.png")
    write_image(root / "masks/1.png", mode="L")
    prefix = before.format(root=root)
    meta(root, {"test": {"colon": [entry(f"{prefix}images/1.png", f"{prefix}masks/1.png")]}})
    (sample,) = read_meta(root).samples
    assert (sample.image, sample.mask) == ("images/1.png", "masks/1.png")


def test_absolute_paths_outside_the_root_are_refused(tmp_path, write_image):
    write_image(tmp_path / "CVC-ColonDB-2/images/1.png")
    meta(tmp_path / "CVC-ColonDB", {"test": {"colon": [entry(str(tmp_path / "CVC-ColonDB-2/images/1.png"))]}})
    with pytest.raises(DataError, match=r"meta.json' test.colon\[0\]: '.*' leaves the root"):
        read_meta(tmp_path / "CVC-ColonDB")


def test_other_spellings_of_a_class_and_a_key_without_cls_name(tmp_path, write_image):
    write_image(tmp_path / "images/1.png")
    write_image(tmp_path / "images/2.png")
    bare = {"img_path": "images/2.png", "anomaly": 1}
    meta(tmp_path, {"test": {"ColonDB": [entry("images/1.png", cls_name="ColonDB"), bare]}})
    assert {sample.class_name for sample in read_meta(tmp_path).samples} == {"colon"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", r"meta.json' is no JSON"),
        ("[" * 100_000, r"meta.json' is no JSON"),
        ([], r"an object is needed"),
        ({"test": []}, r"meta.json' test: an object is needed"),
        ({"test": {"colon": {}}}, r"test.colon: a list of samples is needed"),
        ({"test": {"colon": [3]}}, r"test.colon\[0\]: a sample must be an object"),
        ({"test": {"colon": [entry(7)]}}, r"'image' must be a text, not 7"),
        ({"test": {"colon": [entry("images/1.png", anomaly=2)]}}, r"label '2' is none of 0, 1"),
        ({"test": {"colon": [entry("images/1.png", anomaly=float("nan"))]}}, r"label 'nan' is none of 0, 1"),
        ({"test": {"colon": [entry("images/1.png", cls_name="stomach")]}}, r"unknown class 'stomach'"),
        ({"test": {"colon": [entry("")]}}, r"no image is named"),
    ],
)
def test_a_wrong_meta_json_is_named(tmp_path, write_image, content, words):
    write_image(tmp_path / "images/1.png")
    meta(tmp_path, content)
    with pytest.raises(DataError, match=words):
        read_meta(tmp_path)


# ---- which layout


def test_the_first_layout_that_fits_is_chosen_and_one_without_its_table_last(tmp_path, write_image):
    write_image(tmp_path / "candle/Data/Images/Normal/0000.JPG")
    assert detect_layout(VISA, VISA.layouts, tmp_path).name == "official"
    meta(tmp_path, {})
    assert detect_layout(VISA, VISA.layouts, tmp_path).name == "anomalyclip"
    visa_csv(tmp_path)
    assert detect_layout(VISA, VISA.layouts, tmp_path).name == "official"
    assert detect_layout(VISA, VISA.layouts, Path(tmp_path) / "candle") is None


def test_visa_pytorch_is_read(tmp_path, write_image):
    write_image(tmp_path / "1cls/candle/test/good/0000.JPG")
    write_image(tmp_path / "1cls/candle/test/bad/000.JPG")
    write_image(tmp_path / "1cls/candle/ground_truth/bad/000.png", mode="L")
    layout = detect_layout(VISA, VISA.layouts, tmp_path)
    found = by_image(read_layout(VISA, layout, tmp_path))
    assert layout.name == "visa_pytorch"
    assert found["1cls/candle/test/bad/000.JPG"].mask == "1cls/candle/ground_truth/bad/000.png"
    assert found["1cls/candle/test/good/0000.JPG"].label == 0


def test_a_probe_with_several_paths_needs_all(tmp_path):
    (tmp_path / "images").mkdir()
    assert detect_layout(COLON, COLON.layouts, tmp_path) is None
    (tmp_path / "masks").mkdir()
    assert detect_layout(COLON, COLON.layouts, tmp_path).name == "bundle"


def test_masks_of_several_templates_and_extensions_are_tried_in_order(tmp_path, write_image):
    rule = Rule("{stem}.{ext}", "test", 1, ("m/{stem}.png", "m/{stem}_mask.png"))
    card = replace(COLON, layouts=(FilesLayout("own", (), (rule,)),))
    write_image(tmp_path / "1.png")
    write_image(tmp_path / "m/1_mask.bmp", mode="L")
    assert read(card, tmp_path).samples[0].mask == "m/1_mask.bmp"
    write_image(tmp_path / "m/1.bmp", mode="L")
    assert read(card, tmp_path).samples[0].mask == "m/1.bmp"
