import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import check_masks, find_card, load_dataset
from zsadbench.data.cards.card import Expected
from zsadbench.data.copies.completeness import SYNTH, compare_counts
from zsadbench.data.copies.fingerprint import fingerprint
from zsadbench.data.copies.manifest import make_manifest
from zsadbench.data.layouts.sample import Sample
from zsadbench.errors import DataError


def plain(root):
    """Turn a miniature into a copy that is compared with the numbers in its card."""
    (root / SYNTH).unlink()
    return root


def test_the_manifest_has_its_columns_types_and_order(miniature):
    root = miniature("mvtec", 2)
    frame = load_dataset("mvtec", [root.parent]).manifest
    assert list(frame.columns) == ["path", "mask", "label", "class", "defect", "split", "relative", "view", "sample"]
    assert frame["label"].dtype == "int64"
    assert list(frame["class"].unique()) == list(find_card("mvtec").classes)
    assert (frame["path"] == [str(root / path) for path in frame["relative"]]).all()
    assert ((frame["mask"] == "") == (frame["label"] == 0)).all()
    assert ((frame["defect"] == "good") == (frame["label"] == 0)).all()
    assert all(group["relative"].is_monotonic_increasing for _, group in frame.groupby("class"))
    assert set(frame["split"]) == {"test"}
    assert list(frame.index) == list(range(len(frame)))


def test_rows_follow_the_cards_order_of_classes(tmp_path):
    rows = [Sample(f"{place}.png", "", 0, name, "good", "test") for place, name in enumerate(("a", "b", "a", "b"))]
    card = replace(find_card("colondb"), classes={"b": "b", "a": "a"})
    assert list(make_manifest(card, tmp_path, rows)["relative"]) == ["1.png", "3.png", "0.png", "2.png"]


def test_a_whole_copy_is_neither_partial_nor_synthetic(tmp_path, miniature, monkeypatch):
    root = plain(miniature("colondb"))
    monkeypatch.setattr(
        "zsadbench.data.copies.dataset.expected_counts", lambda *_: ({"test": Expected({"colon": (0, 1)})}, False)
    )
    found = load_dataset("colondb", [root.parent], allow_partial=True)
    assert (found.partial, found.synthetic, found.missing, dict(found.skipped)) == (False, False, (), {})
    assert (found.root, found.layout, found.classes, found.splits) == (root, "bundle", ("colon",), ("test",))


def test_an_incomplete_copy_is_one_line_that_lists_everything(miniature):
    root = plain(miniature("mvtec", 2))
    shutil.rmtree(root / "cable")
    shutil.rmtree(root / "wood")
    with pytest.raises(DataError) as caught:
        load_dataset("mvtec", [root.parent])
    message = str(caught.value)
    assert message.startswith("mvtec: incomplete: 2 of 15 classes missing (cable, wood); bottle: 2 of 20 normal, ")
    assert "zipper: 2 of 32 normal, 2 of 119 anomalous" in message
    assert message.endswith("or pass --allow-partial to use what is there (the record says so).")
    assert "\n" not in message


def test_allow_partial_drops_classes_without_images(miniature):
    root = plain(miniature("mvtec"))
    shutil.rmtree(root / "cable")
    found = load_dataset("mvtec", [root.parent], allow_partial=True)
    assert found.partial
    assert "cable" not in found.classes
    assert len(found.classes) == 14
    assert found.missing[0] == "1 of 15 classes missing (cable)"


def test_zero_shot_does_not_ask_for_train(miniature):
    root = miniature("mvtec")
    for folder in root.glob("*/train"):
        shutil.rmtree(folder)
    assert not load_dataset("mvtec", [root.parent]).partial
    with pytest.raises(DataError, match=r"incomplete: train: 15 of 15 classes missing \(bottle, "):
        load_dataset("mvtec", [root.parent], splits=("train", "test"))


def test_no_image_at_all_is_an_error_even_when_partial(tmp_path):
    (tmp_path / "mvtec/bottle/test").mkdir(parents=True)
    with pytest.raises(DataError, match=r"mvtec: no test image in '.*mvtec' \(layout 'official'\)"):
        load_dataset("mvtec", [tmp_path], allow_partial=True)


def test_a_missing_mask_is_named_or_left_out_and_counted(miniature):
    root = miniature("visa", 2)
    (root / "candle/Data/Masks/Anomaly/001.png").unlink()
    (root / "pcb1/Data/Masks/Anomaly/000.png").unlink()
    with pytest.raises(DataError) as caught:
        load_dataset("visa", [root.parent])
    assert str(caught.value) == (
        "visa: candle/Data/Masks/Anomaly/001.png is missing (named in split_csv/1cls.csv), and 1 more. "
        "Restore it from the archive, or pass --allow-partial to leave such samples out and have them counted."
    )
    found = load_dataset("visa", [root.parent], allow_partial=True)
    assert found.partial
    assert found.skipped == {"candle": 1, "pcb1": 1}
    assert len(found.manifest) == 12 * 4 - 2
    assert "candle: 1 anomalous left out, for their masks are missing" in found.missing


def test_every_mask_missing_leaves_nothing(miniature):
    root = miniature("colondb", 2)
    for mask in (root / "masks").iterdir():
        mask.unlink()
    for allow in (False, True):
        with pytest.raises(
            DataError, match=r"colondb: masks/1.png is missing \(the mask of images/1.png\), and 1 more"
        ):
            load_dataset("colondb", [root.parent], allow_partial=allow)


def test_an_image_that_the_table_names_must_be_there(miniature):
    root = miniature("visa", 2)
    (root / "candle/Data/Images/Normal/0003.JPG").unlink()
    (root / "candle/Data/Images/Normal/0000.JPG").unlink()  # of the train split
    with pytest.raises(DataError) as caught:
        load_dataset("visa", [root.parent])
    words = "candle: 1 of 2 normal; 1 images that a table names are not there, first candle"
    assert words in str(caught.value)
    assert "(named in split_csv/1cls.csv)" in str(caught.value)


def test_masks_are_not_asked_for_at_image_level(miniature):
    found = load_dataset("brainmri", [miniature("brainmri", 3).parent])
    assert set(found.manifest["mask"]) == {""}
    assert not found.partial


def test_more_images_than_an_exact_number_are_refused_unless_partial_data_are_allowed(miniature, write_image):
    root = miniature("mvtec")
    write_image(root / "bottle/test/good/999.png")
    with pytest.raises(DataError) as caught:
        load_dataset("mvtec", [root.parent])
    assert str(caught.value) == (
        f"mvtec: more images than the data set has: bottle: 2 normal where 1 are known; in '{root}'. Remove what "
        "belongs to other data sets, or pass --allow-partial to use what is there (the record says so)."
    )
    found = load_dataset("mvtec", [root.parent], allow_partial=True)
    assert (found.excess, found.partial, found.missing) == (("bottle: 2 normal where 1 are known",), True, ())


def samples(normal, anomalous, name="colon"):
    make = [(0, normal), (1, anomalous)]
    return [Sample(f"{label}{i}.png", "", label, name, "", "test") for label, n in make for i in range(n)]


def test_uncertain_counts_make_notes_and_totals_are_judged():
    certain, uncertain = (Expected({"colon": (2, 3)}, certain=flag) for flag in (True, False))
    assert compare_counts(samples(1, 3), {"test": certain}, ["test"]) == (["colon: 1 of 2 normal"], [], [])
    assert compare_counts(samples(1, 3), {"test": uncertain}, ["test"]) == ([], ["colon: 1 of 2 normal"], [])
    assert compare_counts([], {"test": uncertain}, ["test"]).missing == ["1 of 1 classes missing (colon)"]
    total = {"test": Expected(total=(2, 2))}
    assert compare_counts(samples(1, 3), total, ["test"]) == (
        ["in all: 1 of 2 normal"],
        [],
        ["in all: 3 anomalous where 2 are known"],
    )
    assert compare_counts(samples(1, 3), total, ["train"]) == ([], [], [])


def test_more_images_than_an_uncertain_number_are_a_note_and_than_a_certain_sum_a_fault():
    uncertain = {"test": Expected({"colon": (2, 3)}, certain=False, images=6)}
    assert compare_counts(samples(2, 4), uncertain, ["test"]) == ([], ["colon: 4 anomalous where 3 are known"], [])
    assert compare_counts(samples(2, 5), uncertain, ["test"]).excess == ["in all: 7 images where 6 are known"]


def test_even_an_uncertain_count_wants_something_of_each_label():
    uncertain = {"test": Expected({"colon": (2, 3)}, certain=False)}
    assert compare_counts(samples(2, 0), uncertain, ["test"]) == (["colon: 0 of 3 anomalous"], [], [])


def test_a_copy_with_less_than_half_of_an_uncertain_count_is_short():
    uncertain = {"test": Expected({"brain": (10, 10)}, certain=False)}
    assert compare_counts(samples(5, 9, "brain"), uncertain, ["test"]).missing == []
    assert compare_counts(samples(4, 10, "brain"), uncertain, ["test"]) == (["brain: 4 of 10 normal"], [], [])


def test_a_total_names_the_classes_without_images_and_counts_all_images():
    total = {"test": Expected(total=(2, 2), certain=False, classes=("colon", "skin"), images=4)}
    assert compare_counts(samples(1, 1), total, ["test"]) == (
        ["1 of 2 classes missing (skin)", "in all: 2 of 4 images"],
        ["in all: 1 of 2 normal, 1 of 2 anomalous"],
        [],
    )
    assert (
        compare_counts(samples(3, 1), {"test": Expected(total=(2, 2), certain=False, images=4)}, ["test"]).missing == []
    )


@pytest.mark.parametrize(
    "counts",
    [
        {"colon": {"test": [0, 2]}},
        {"colon": {"test": {"normal": 0, "anomalous": 2}}},
        {"colon": [0, 2]},
        {"ColonDB": {"normal": 0, "anomalous": 2}},
        {"test": [0, 2]},
        {"Test": {"normal": 0, "anomalous": 2}},
    ],
)
def test_a_miniature_is_judged_by_its_own_counts_in_any_plain_shape(miniature, counts):
    root = miniature("colondb", 2)
    (root / SYNTH).write_text(json.dumps({"name": "cvc_colondb", "counts": counts}))
    found = load_dataset("colondb", [root.parent])
    assert (found.synthetic, found.partial) == (True, False)
    (root / "images/2.png").unlink()
    with pytest.raises(DataError, match=r"incomplete: (colon|in all): 1 of 2 anomalous"):
        load_dataset("colondb", [root.parent])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "holds no counts of a miniature"),
        ("[]", "holds no counts of a miniature"),
        ('{"name": "colondb"}', "holds no counts of a miniature"),
        ('{"name": "visa", "counts": {}}', "is a miniature of 'visa', not of 'colondb'"),
        ('{"counts": {"stomach": [0, 2]}}', "unknown class 'stomach'"),
        ('{"counts": {"colon": 2}}', "counts are not"),
        ('{"counts": {"colon": [1, 2, 3]}}', "counts are not"),
        ('{"counts": {"colon": [1, -2]}}', "counts are not"),
        ('{"counts": {"colon": ["a", "b"]}}', "counts are not"),
        ('{"counts": []}', "counts are not"),
    ],
)
def test_a_wrong_record_of_a_miniature_is_named(miniature, text, words):
    root = miniature("colondb")
    (root / SYNTH).write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        load_dataset("colondb", [root.parent])
    assert f"'{root / SYNTH}'" in str(caught.value)


def test_the_record_of_another_miniature_above_is_no_matter(miniature):
    root = miniature("colondb")
    (root.parent / SYNTH).write_text('{"name": "visa", "counts": {}}')
    assert load_dataset("colondb", [root.parent]).synthetic
    (root / SYNTH).unlink()
    with pytest.raises(DataError, match="incomplete: colon: 1 of 380"):
        load_dataset("colondb", [root.parent])


# ---- identity


def test_the_fingerprint_ignores_the_place_and_sees_the_content(tmp_path, miniature, write_image):
    root = miniature("brainmri", 3)
    first = load_dataset("brainmri", [root.parent]).fingerprint
    shutil.copytree(root, tmp_path / "elsewhere/deep/brain_tumor_dataset_2")
    assert load_dataset("brainmri", [tmp_path / "elsewhere/deep"]).fingerprint == first
    flat = load_dataset("brainmri", [root])  # finds brain_tumor_dataset itself
    assert (flat.layout, flat.fingerprint) == ("flat", first)
    assert len(first) == 64
    write_image(root / "brain_tumor_dataset/no/1 no.jpeg", size=(40, 40))
    assert load_dataset("brainmri", [root.parent]).fingerprint != first


def test_the_fingerprint_sees_masks_and_splits_and_not_the_order(miniature, write_image):
    root = miniature("colondb", 3)
    found = load_dataset("colondb", [root.parent])
    rule = found.card.positive
    assert fingerprint(found.manifest.iloc[::-1], rule) == found.fingerprint
    assert fingerprint(found.manifest.assign(split="train"), rule) != found.fingerprint
    assert fingerprint(found.manifest.assign(label=0), rule) != found.fingerprint
    write_image(root / "masks/1.png", size=(40, 40), mode="L")
    assert load_dataset("colondb", [root.parent]).fingerprint != found.fingerprint
    (root / "images/1.png").unlink()
    with pytest.raises(DataError, match=r"images/1.png' cannot be read: No such file"):
        fingerprint(found.manifest, rule)


def test_the_fingerprint_sees_one_pixel_of_a_mask_that_weighs_as_much(miniature):
    root = miniature("colondb", 3)
    manifest = load_dataset("colondb", [root.parent]).manifest
    mask = root / "masks/1.bmp"
    values = np.asarray(Image.open(root / "masks/1.png").convert("L")).copy()
    Image.fromarray(values).save(mask)
    masked = manifest.assign(mask=[str(mask), *manifest["mask"][1:]])
    before, weight = fingerprint(masked, "> 0"), mask.stat().st_size
    assert fingerprint(masked, "> 0") == before  # from the cache
    values[0, 0] = 255 - values[0, 0]
    Image.fromarray(values).save(mask)
    assert mask.stat().st_size == weight
    assert fingerprint(masked, "> 0") != before
    assert fingerprint(masked, ">= 128") == fingerprint(masked, "> 0")  # only 0 and 255: the rules agree
    values[0, 0] = 90
    Image.fromarray(values).save(mask)
    assert fingerprint(masked, ">= 128") != fingerprint(masked, "> 0")


def test_statistics_in_the_cache_that_are_broken_are_made_anew(miniature, tmp_path):
    root = miniature("colondb", 3)
    before = load_dataset("colondb", [root.parent]).fingerprint
    (kept,) = (tmp_path / "cache/masks").iterdir()
    for broken in ("", "[1]", "[[1, 2]]", "null", "[null]"):
        kept.write_text(broken)
        assert load_dataset("colondb", [root.parent]).fingerprint == before
    assert json.loads(kept.read_text())[0][2] > 0


# ---- masks against images


def test_masks_of_another_size_are_named_and_counted(miniature, write_image):
    root = miniature("colondb", 3)
    found = load_dataset("colondb", [root.parent])
    check_masks(found)
    write_image(root / "masks/2.png", size=(9, 7), mode="L")
    (root / "masks/3.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        check_masks(found)
    assert str(caught.value) == (f"colondb: mask '{root / 'masks/2.png'}' is 9×7, its image is 110×96; 1 more like it")


def test_file_names_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "x/good").mkdir(parents=True)
    try:
        (tmp_path / "x/good" / os.fsdecode(b"\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    with pytest.raises(DataError, match="not UTF-8"):
        load_dataset(f"folder:{tmp_path / 'x'}")
