"""`datasets check` and `fingerprint`: faulty files by path, statistics of masks, known editions."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import all_cards, load_dataset, read_mask, synthesise
from zsadbench.data.copies.check import check_copy
from zsadbench.data.copies.mask_statistics import mask_statistics
from zsadbench.errors import DataError


@pytest.fixture
def colon(tmp_path):
    """The root of a miniature of CVC-ColonDB with three pairs, which `check` finds complete."""
    return synthesise("colondb", tmp_path / "data", 3)


def check(root, **more):
    return check_copy(json.loads((root / "zsadbench-synth.json").read_text())["name"], [root.parent], **more)


def test_an_image_of_no_bytes_is_a_fault_at_once(colon):
    (colon / "images/2.png").write_bytes(b"")
    for deep in (False, True):
        (fault,) = check(colon, deep=deep).faults
        assert fault.startswith(f"'{colon / 'images/2.png'}' cannot be read as an image: ")


@pytest.mark.parametrize("kind", ["good", "fold"])
def test_an_image_without_a_header_is_a_fault_at_once_whatever_its_label(tmp_path, kind):
    root = synthesise("mvtec", tmp_path, 1)
    image = next((root / "leather/test" / kind).iterdir())
    image.write_bytes(image.read_bytes()[:12])
    for deep in (False, True):
        (fault,) = check(root, deep=deep).faults
        assert fault.startswith(f"'{image}' cannot be read as an image: ")


def test_a_mask_of_no_bytes_is_one_fault(colon):
    (colon / "masks/2.png").write_bytes(b"")
    for deep in (False, True):
        assert len(check(colon, deep=deep).faults) == 1


def test_a_truncated_image_is_a_fault_of_a_deep_check(tmp_path):
    root = synthesise("kvasir", tmp_path, 2)
    image = next((root / "images").iterdir())
    image.write_bytes(image.read_bytes()[:-300])
    assert check(root).faults == ()
    (fault,) = check(root, deep=True).faults
    assert str(image) in fault
    assert "truncated" in fault


def test_an_empty_class_folder_is_a_class_that_is_missing(tmp_path):
    root = synthesise("mvtec", tmp_path, 1)
    for folder in (root / "cable/test").iterdir():
        shutil.rmtree(folder)
        folder.mkdir()
    found = check(root)
    unread = "1 file that is or claims to be an image is not read, first 'cable/ground_truth/bent_wire/000_mask.png'"
    assert found.faults == ("1 of 15 classes missing (cable)", unread)
    assert found.classes["cable"] == ((0, 0), (1, 1))


def test_links_in_a_circle_and_names_that_differ_in_case_are_notes_with_paths(colon):
    (colon / "images/loop").symlink_to(colon)
    (colon / "masks/gone.png").symlink_to(colon / "nowhere.png")
    shutil.copy(colon / "images/1.png", colon / "images/1.PNG")
    found = check(colon)
    assert f"2 links lead nowhere or in a circle, first 'images/loop' in '{colon}'" in found.notes
    assert f"1 names differ in nothing but case, first 'images/1.PNG' and 'images/1.png' in '{colon}'" in found.notes
    assert found.faults == ("colon: 4 anomalous where 3 are known",)


def test_odd_names_of_files_are_read_and_told(colon):
    for folder in ("images", "masks"):
        (colon / folder / "1.png").rename(colon / folder / " Größe\n照片 1.png")
    assert check(colon, deep=True).faults == ()
    (colon / "masks" / " Größe\n照片 1.png").unlink()
    (fault,) = [one for one in check(colon).faults if "is missing" in one]
    assert fault == "masks/ Größe\n照片 1.png is missing (the mask of images/ Größe\n照片 1.png)"


def test_a_json_with_unknown_keys_is_told_and_read(tmp_path, write_image):
    root = tmp_path / "CVC-ColonDB"
    write_image(root / "a/1.png")
    write_image(root / "b/1.png", mode="L")
    sample = {"img_path": "a/1.png", "mask_path": "b/1.png", "anomaly": 1, "cls_name": "colon", "specie_name": "flat"}
    (root / "meta.json").write_text(json.dumps({"test": {"colon": [sample | {"hospital": 3, "frame": 8}]}}))
    found = load_dataset("colondb", [tmp_path], allow_partial=True)
    where = f"'{root / 'meta.json'}' test.colon[0]"
    assert f"1 rows have fields that mean nothing here (frame, hospital), first {where}" in found.notes
    assert list(found.manifest["defect"]) == ["flat"]
    (root / "meta.json").write_text(json.dumps({"test": {"colon": [sample]}, "author": {"name": "someone"}}))
    with pytest.raises(DataError, match=r"meta.json' author.name: a list of samples is needed"):
        load_dataset("colondb", [tmp_path], allow_partial=True)


def test_the_way_to_a_whole_copy_is_told_and_a_folder_without_labels_too(tmp_path, write_image):
    (found,) = check_copy("visa", [tmp_path]).faults
    assert "CC BY 4.0" in found
    write_image(tmp_path / "flat/1.png")
    (fault,) = check_copy(f"folder:{tmp_path / 'flat'}").faults
    assert "holds no labels" in fault
    table = tmp_path / "list.csv"
    table.write_text("path,label\nflat/1.png,0\nflat/2.png,1\n")
    assert check_copy(f"csv:{table}").faults == (
        "1 images that a table names are not there, first flat/2.png (named in list.csv line 3)",
    )


# ---- masks


@pytest.mark.parametrize("share", [0, 0.3, 0.8])
def test_a_mask_that_a_run_cannot_read_is_a_fault_of_the_plain_check(colon, share):
    content = (colon / "masks/2.png").read_bytes()
    (colon / "masks/2.png").write_bytes(content[: int(share * len(content))])
    (fault,) = check(colon).faults
    assert fault.startswith(f"'{colon}/masks/2.png' cannot be read as an image: ")


def test_the_statistics_of_masks_are_what_counting_gives(colon):
    found = load_dataset("colondb", [colon.parent])
    blank = np.zeros_like(read_mask(colon / "masks/1.png"))
    Image.fromarray(blank).save(colon / "masks/1.png")
    grey = np.asarray(Image.open(colon / "masks/2.png")).copy()
    grey[:2] = 90
    Image.fromarray(grey).save(colon / "masks/2.png")
    found_masks = mask_statistics(found.manifest, "> 0")
    areas = [int(read_mask(colon / f"masks/{number}.png").sum()) for number in (1, 2, 3)]
    assert areas[0] == 0
    assert (found_masks.number, found_masks.blank) == (3, (str(colon / "masks/1.png"),))
    assert found_masks.grey == (str(colon / "masks/2.png"),)
    assert found_masks.share == pytest.approx(sum(areas) / (3 * blank.size))
    assert (found_masks.smallest, found_masks.largest) == (min(areas[1:]), max(areas))
    assert mask_statistics(found.manifest, ">= 128").largest < found_masks.largest


def test_the_identity_of_masks_sees_a_pixel_and_no_order(colon):
    frame = load_dataset("colondb", [colon.parent]).manifest
    before = mask_statistics(frame, "> 0").digest
    assert mask_statistics(frame.iloc[::-1], "> 0").digest == before
    changed = np.asarray(Image.open(colon / "masks/3.png")).copy()
    changed[0, 0] = 255
    Image.fromarray(changed).save(colon / "masks/3.png")
    assert mask_statistics(frame, "> 0").digest != before
    none = mask_statistics(frame.assign(mask=""), "> 0")
    assert (none.number, none.share, none.digest) == (0, None, hashlib.sha256(b"").hexdigest())
    (colon / "masks/3.png").write_bytes(b"")
    assert mask_statistics(frame, "> 0").number == 2


# ---- editions


@pytest.mark.parametrize(
    ("name", "number", "edition"), [("clinicdb", 62, "PraNet's TestDataset"), ("clinicdb", 61, "")]
)
def test_a_known_other_edition_is_named(tmp_path, write_image, name, number, edition):
    first = write_image(tmp_path / "CVC-ClinicDB/images/1.png")
    mask = write_image(tmp_path / "CVC-ClinicDB/masks/1.png", mode="L")
    for index in range(2, number + 1):
        shutil.copy(first, first.with_stem(f"{index}"))
        shutil.copy(mask, mask.with_stem(f"{index}"))
    with pytest.raises(DataError) as caught:
        load_dataset(name, [tmp_path])
    assert (f"as many images as in another edition: {edition}" in str(caught.value)) == bool(edition)
    found = load_dataset(name, [tmp_path], allow_partial=True)
    assert found.edition == edition
    assert check_copy(name, [tmp_path]).edition == edition


@pytest.mark.parametrize("card", [card for card in all_cards() if not card.generated], ids=lambda card: card.name)
def test_a_miniature_of_every_set_passes_a_deep_check(tmp_path, card):
    synthesise(card.name, tmp_path, 1)
    found = check_copy(card.name, [tmp_path], splits=tuple(card.expected), deep=True)
    assert (found.faults, found.synthetic, found.edition) == ((), True, "")
    assert found.masks.number == sum(have[1] for have, _ in found.classes.values()) * card.pixel_level
    assert found.masks.blank == ()


def test_the_crops_of_kolektorsdd_are_told_apart_by_their_numbers(tmp_path):
    root = tmp_path / "KolektorSDD"
    prints = {}
    for name, (normal, anomalous) in {
        "": (347, 52),
        "AnomalyCLIP's crops": (181, 74),
        "DRA's crops": (286, 54),
    }.items():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        entries = []
        for number in range(normal + anomalous):
            label = int(number >= normal)
            Image.new("L", (4, 4), number % 251).save(root / f"{number}.png")
            entry = {"img_path": f"{number}.png", "mask_path": "", "cls_name": "SDD", "anomaly": label}
            if label:
                entry["mask_path"] = f"{number}_mask.png"
                Image.new("L", (4, 4), 255).save(root / entry["mask_path"])
            entries.append(entry | {"specie_name": ""})
        (root / "meta.json").write_text(json.dumps({"test": {"SDD": entries}}))
        found = check_copy("ksdd", [tmp_path])
        assert (found.edition, found.faults) == (name, ())
        assert any(f"as many images as in another edition: {name}" in note for note in found.notes) == bool(name)
        prints[name] = found.fingerprint
    assert len(set(prints.values())) == 3
