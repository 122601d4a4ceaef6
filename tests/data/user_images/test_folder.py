import pytest

from zsadbench.data import find_card, load_dataset
from zsadbench.errors import DataError, UsageError


def load(root, **more):
    return load_dataset(f"folder:{root}", **more)


def test_several_classes_as_in_mvtec(tmp_path, write_image):
    for name in ("red_cap", "can"):
        write_image(tmp_path / name / "test/good/1.png")
        write_image(tmp_path / name / "test/dent/1.jpg")
        write_image(tmp_path / name / "train/good/1.png")
        write_image(tmp_path / name / "ground_truth/dent/1_mask.png", mode="L")
    (tmp_path / "notes").mkdir()
    found = load(tmp_path)
    assert found.classes == ("can", "red_cap")
    assert found.card.classes["red_cap"] == "red cap"
    assert found.card.name == f"folder:{tmp_path.name}"
    assert found.card.levels == ("image", "pixel")
    assert list(found.manifest["label"]) == [1, 0, 1, 0]
    assert found.manifest["mask"][0] == str(tmp_path / "can/ground_truth/dent/1_mask.png")
    assert not found.partial
    assert len(load(tmp_path, splits=("train",)).manifest) == 2


def test_one_class_named_after_the_folder(tmp_path, write_image):
    root = tmp_path / "bottle_caps"
    write_image(root / "test/good/1.png")
    write_image(root / "test/dent/1.png")
    write_image(root / "ground_truth/dent/1.png", mode="L")
    found = load(root)
    assert dict(found.card.classes) == {"bottle_caps": "bottle caps"}
    assert found.manifest["mask"][0].endswith("ground_truth/dent/1.png")


def test_good_beside_other_folders_is_image_level(tmp_path, write_image):
    write_image(tmp_path / "good/1.png")
    write_image(tmp_path / "dent/2.JPG")
    write_image(tmp_path / "train/3.png")
    found = load(tmp_path)
    assert found.card.levels == ("image",)
    assert list(zip(found.manifest["label"], found.manifest["defect"], strict=True)) == [(1, "dent"), (0, "good")]


@pytest.mark.parametrize(
    "mask", ["ground_truth/dent/2_mask.png", "ground_truth/dent/2.png", "masks/dent/2.bmp", "masks/2.png"]
)
def test_masks_beside_good_are_found_by_name(tmp_path, write_image, mask):
    write_image(tmp_path / "good/1.png")
    write_image(tmp_path / "dent/2.png")
    write_image(tmp_path / mask, mode="L")
    found = load(tmp_path)
    assert found.card.levels == ("image", "pixel")
    assert list(found.manifest["mask"]) == [str(tmp_path / mask), ""]


def test_it_is_never_partial(tmp_path, write_image):
    for name in ("good/1.png", "dent/2.png", "dent/3.png"):
        write_image(tmp_path / name)
    write_image(tmp_path / "masks/2.png", mode="L")
    for allow in (False, True):
        with pytest.raises(
            DataError, match=r"ground_truth/dent/3_mask.png is missing \(the mask of dent/3.png\). Restore it\."
        ):
            load(tmp_path, allow_partial=allow)


def test_without_labels_it_says_why_they_are_needed(tmp_path, write_image):
    write_image(tmp_path / "1.png")
    write_image(tmp_path / "shots/1.png")
    with pytest.raises(DataError, match=r"holds no labels.*metrics need labels.*zsadbench predict 'folder:"):
        load(tmp_path)


def test_wrong_paths(tmp_path):
    with pytest.raises(DataError, match=r"none' is no folder \(of the target 'folder:"):
        load(tmp_path / "none")
    with pytest.raises(UsageError, match="write folder:PATH"):
        load_dataset("folder:")
    (tmp_path / "good").mkdir()
    with pytest.raises(DataError, match="no test image"):
        load(tmp_path)


def test_two_copies_of_one_name_differ_by_fingerprint(tmp_path, write_image, monkeypatch):
    one, two = tmp_path / "a/caps", tmp_path / "b/caps"
    write_image(one / "good/1.png")
    write_image(two / "good/1.png", size=(40, 40))
    assert find_card(f"folder:{one}").name == find_card(f"folder:{two}").name == "folder:caps"
    assert load(one).fingerprint != load(two).fingerprint
    monkeypatch.chdir(one)
    assert load(".").card.name == "folder:caps"
    assert load("good/..").fingerprint == load(one).fingerprint


def test_a_miniature_read_as_a_folder_is_still_synthetic(miniature):
    root = miniature("mvtec")
    assert load(root).synthetic
    (root / "zsadbench-synth.json").unlink()
    assert not load(root).synthetic
