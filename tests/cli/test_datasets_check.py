"""`zsadbench datasets check`: complete or not, with every fault by its path."""

import json
import shutil

import pytest
from PIL import Image


@pytest.fixture
def copy(mini, tmp_path):
    """A copy of a miniature that may be spoilt: `copy("CVC-ColonDB")` returns its folder."""

    def make(folder):
        return shutil.copytree(mini / folder, tmp_path / "other" / folder)

    return make


def test_a_whole_miniature_is_complete(cli, mini):
    told = cli("datasets", "check", "mvtec", "visa,colondb", "brainmri", "--data-root", mini, "--deep", "--json")
    assert told.code == 0, told.out
    found = [json.loads(line) for line in told.out.splitlines()]
    assert [one["name"] for one in found] == ["mvtec", "visa", "colondb", "brainmri"]
    assert all(one["complete"] and one["synthetic"] and not one["faults"] for one in found)
    assert found[0]["classes"]["bottle"] == {"found": [1, 1], "expected": [1, 1]}
    assert "synthetic miniature" in cli("datasets", "check", "mvtec", "--data-root", mini).out


def test_a_missing_image_is_counted_by_class(cli, copy, tmp_path):
    next((copy("mvtec") / "grid" / "test" / "good").iterdir()).unlink()
    told = cli("datasets", "check", "mvtec", "--data-root", tmp_path / "other")
    assert told.code == 3
    assert "grid: 0 of 1 normal" in told.out
    assert "mvtec: not complete" in told.out
    assert "mvtec.com" in told.out
    assert "CC BY-NC-SA 4.0" in told.out


def test_every_missing_mask_is_named(cli, copy, tmp_path):
    root = copy("mvtec")
    masks = [next((root / name / "ground_truth").rglob("*.png")) for name in ("grid", "wood")]
    for mask in masks:
        mask.unlink()
    found = json.loads(cli("datasets", "check", "mvtec", "--data-root", tmp_path / "other", "--json").out)
    for mask in masks:
        assert any(mask.name in fault and mask.parent.name in fault for fault in found["faults"])


def test_a_mask_of_another_size_is_named(cli, copy, tmp_path):
    mask = next((copy("CVC-ColonDB") / "masks").iterdir())
    Image.new("L", (3, 4)).save(mask)
    told = cli("datasets", "check", "colondb", "--data-root", tmp_path / "other")
    assert told.code == 3
    assert f"fault: mask '{mask}' is 3×4" in told.out


def test_only_a_deep_check_decodes(cli, copy, tmp_path):
    image = next((copy("brainmri") / "brain_tumor_dataset").rglob("*.jpg"))
    image.write_bytes(image.read_bytes()[:-200])
    where = ("--data-root", tmp_path / "other")
    assert cli("datasets", "check", "brainmri", *where).code == 0
    told = cli("datasets", "check", "brainmri", *where, "--deep")
    assert told.code == 3
    assert str(image) in told.out


def test_a_deep_check_notes_odd_masks(cli, copy, tmp_path):
    mask = next((copy("CVC-ColonDB") / "masks").iterdir())
    with Image.open(mask) as opened:
        blank = Image.new("L", opened.size)
    blank.save(mask)
    told = cli("datasets", "check", "colondb", "--data-root", tmp_path / "other", "--deep")
    assert told.code == 0
    assert "1 blank masks of anomalous images" in told.out


def test_what_is_not_there_is_a_fault_and_what_is_unknown_a_mistake(cli, tmp_path):
    told = cli("datasets", "check", "visa", "--data-root", tmp_path)
    assert told.code == 3
    assert "visa: not complete" in told.out
    assert cli("datasets", "check", "vissa").code == 2


def test_the_real_copies_are_judged_right(cli, real_data):
    told = cli("datasets", "check", "colondb", "mvtec", "brainmri", "--data-root", real_data, "--deep", "--json")
    assert told.code == 3
    colondb, mvtec, brainmri = map(json.loads, told.out.splitlines())
    assert colondb["classes"] == {"colon": {"found": [0, 120], "expected": [0, 380]}}
    assert colondb["faults"] == ["colon: 120 of 380 anomalous"]
    assert mvtec["classes"]["bottle"] == {"found": [9, 8], "expected": [20, 63]}
    assert mvtec["faults"][0].startswith("12 of 15 classes missing (cable, ")
    assert brainmri["complete"]
    assert brainmri["classes"] == {"brain": {"found": [98, 155], "expected": [98, 155]}}
