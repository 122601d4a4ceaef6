"""Other names than those of MVTec AD: folders and files are read where they leave no doubt, else a way on is said."""

import pytest

from zsadbench.data import images_of, load_dataset
from zsadbench.data.copies.check import check_copy
from zsadbench.errors import DataError

NORMAL = (
    "good",
    "Good",
    "GOOD",
    "ok",
    "OK",
    "Okay",
    "normal",
    "Normal",
    "nominal",
    "healthy",
    "defect-free",
    "no_defect",
)
ARRANGEMENTS = ("{good}", "test/{good}", "caps/test/{good}")


def load(root, **more):
    return load_dataset(f"folder:{root}", **more)


def put(write_image, root, arrangement, good, defect="dent"):
    for number in range(2):
        write_image(root / arrangement.format(good=good) / f"{number}.png")
        write_image(root / arrangement.format(good=defect) / f"{number + 2}.png")
    return root


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("good", NORMAL)
def test_folders_of_normal_images_are_known_by_their_names(tmp_path, write_image, arrangement, good):
    found = load(put(write_image, tmp_path / "set", arrangement, good)).manifest
    assert sorted(zip(found["label"], found["defect"], strict=True)) == [(0, "good")] * 2 + [(1, "dent")] * 2


def test_classes_may_name_them_differently(tmp_path, write_image):
    put(write_image, tmp_path, "a/test/{good}", "good")
    put(write_image, tmp_path, "b/test/{good}", "OK")
    write_image(tmp_path / "b/train/OK/7.png")
    found = load(tmp_path).manifest
    assert dict(found.groupby("class")["label"].sum()) == {"a": 2, "b": 2}
    assert list(load(tmp_path, splits=("train",)).manifest["label"]) == [0]


@pytest.mark.parametrize("arrangement", ARRANGEMENTS[1:])
@pytest.mark.parametrize("similar", ["good_parts", "OK images", "normal-1"])
def test_a_name_that_is_almost_one_is_refused_with_the_flag(tmp_path, write_image, arrangement, similar):
    root = put(write_image, tmp_path / "set", arrangement, similar)
    with pytest.raises(DataError, match=f"'{similar}' looks like it: pass --normal '{similar}'"):
        load(root)
    assert (load(root, normal=(similar,)).manifest["label"] == 0).sum() == 2


@pytest.mark.parametrize("bad", ["not good", "abnormal", "NG", "no-ok"])
def test_names_of_anomalies_are_no_normal_images(tmp_path, write_image, bad):
    found = load(put(write_image, tmp_path, "test/{good}", "good", bad)).manifest
    assert set(found.loc[found["label"] == 1, "defect"]) == {bad}


def test_two_names_of_normal_images_are_refused(tmp_path, write_image):
    put(write_image, tmp_path, "test/{good}", "good", "OK")
    with pytest.raises(DataError, match="holds 'OK' and 'good', and each may be the normal images; --normal NAME"):
        load(tmp_path)
    assert list(load(tmp_path, normal=("good",)).manifest["defect"]) == ["OK", "OK", "good", "good"]
    assert not load(tmp_path, normal=("good", "ok")).manifest["label"].any()
    with pytest.raises(DataError, match="each may be the normal images"):
        images_of([f"folder:{tmp_path}"])
    assert len(images_of([f"folder:{tmp_path}"], ("good",))) == 4


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_a_name_that_no_folder_has_is_said_with_those_there(tmp_path, write_image, arrangement):
    root = put(write_image, tmp_path / "set", arrangement, "fine")
    assert (load(root, normal="fine".upper().split()).manifest["label"] == 0).sum() == 2
    with pytest.raises(DataError, match=r"--normal 'fein': '.*' has no such folder; there are: dent, fine"):
        load(root, normal=("fein",))


def test_images_that_are_all_anomalous_are_said(tmp_path, write_image):
    put(write_image, tmp_path, "a/test/{good}", "scratch")
    put(write_image, tmp_path, "b/test/{good}", "good")
    found = load(tmp_path)
    line = (
        "a: no normal image; a folder of normal images is named good, OK, normal or the like, or as --normal NAME says"
    )
    assert line in found.warnings
    assert line in found.provenance()["data_warnings"]
    assert load(tmp_path / "b").warnings == ()


def test_a_folder_without_any_known_name_says_what_to_do(tmp_path, write_image):
    put(write_image, tmp_path, "{good}", "a", "b")
    (fault,) = check_copy(f"folder:{tmp_path}").faults
    assert "holds no labels" in fault
    assert "--normal NAME" in fault
    assert check_copy(f"folder:{tmp_path}", normal=("a",)).faults == ()


# --- masks


MASKS = (
    *("000_GT.png", "mask_000.png", "000-mask.png", "000_MASK.PNG", "000_label.tif", "000.png.png", "000_seg.bmp"),
    *("GT_000.png", "000 ground truth.png", "0_mask.png"),
)


def with_masks(write_image, root, names, defect="dent", images=("000.png", "001.png")):
    write_image(root / "test/good/7.png")
    for image in images:
        write_image(root / "test" / defect / image)
    for name in names:
        write_image(root / "ground_truth" / defect / name, mode="L")
    return root


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_other_names_are_paired_one_to_one(tmp_path, write_image, name):
    other = name.replace("000", "001") if "000" in name else "1_mask.png"
    root = with_masks(write_image, tmp_path, (name, other))
    found = load(root).manifest.set_index("relative")["mask"]
    assert found["test/dent/000.png"].endswith(f"/{name}")
    assert found["test/dent/001.png"].endswith(f"/{other}")


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "b.png"),  # names tell nothing; never by order
        ("000_GT.png", "000_label.png", "001_GT.png"),  # two masks of one image
        ("000_GT.png",),
        ("000_part1.png", "001_part1.png"),
    ],
)
def test_masks_that_leave_doubt_are_refused_with_what_is_there(tmp_path, write_image, names):
    with pytest.raises(DataError, match=r"_mask.png is missing .*; 'ground_truth/dent' holds '") as raised:
        load(with_masks(write_image, tmp_path, names))
    assert f"'{min(names)}'" in str(raised.value)
    assert "list images and masks in a table: csv:PATH" in str(raised.value)


def test_two_images_of_one_number_are_not_paired(tmp_path, write_image):
    root = with_masks(write_image, tmp_path, ("1_GT.png",), images=("1.png", "01.png"))
    with pytest.raises(DataError, match="is missing"):
        load(root)


def test_a_name_of_the_rules_comes_first(tmp_path, write_image):
    root = with_masks(write_image, tmp_path, ("000_mask.png", "000_GT.png", "001_GT.png"))
    found = load(root).manifest.set_index("relative")["mask"]
    assert found["test/dent/000.png"].endswith("000_mask.png")
    assert found["test/dent/001.png"].endswith("001_GT.png")


def test_several_masks_in_a_folder_are_named_as_such(tmp_path, write_image):
    root = with_masks(write_image, tmp_path, ("000/0.png", "000/1.png", "001/0.png"))
    with pytest.raises(DataError, match="'ground_truth/dent/000' is a folder of 2 files: unite the masks of an image"):
        load(root)


@pytest.mark.parametrize("good", ["good", "OK", "Normal"])
def test_masks_of_normal_images_are_never_asked_for(tmp_path, write_image, good):
    write_image(tmp_path / "test" / good / "1.png")
    write_image(tmp_path / "test/dent/2.png")
    (tmp_path / "ground_truth").mkdir()
    with pytest.raises(DataError) as raised:
        load(tmp_path)
    assert good not in str(raised.value)
    assert "ground_truth/dent/2_mask.png is missing" in str(raised.value)


def test_the_case_of_folders_does_not_matter(tmp_path, write_image):
    write_image(tmp_path / "Test/GOOD/1.png")
    write_image(tmp_path / "Test/Dent/2.PNG")
    write_image(tmp_path / "Ground_Truth/dent/2_Mask.Png", mode="L")
    found = load(tmp_path)
    assert found.card.levels == ("image", "pixel")
    assert list(found.manifest["label"]) == [1, 0]
    assert found.manifest["mask"][0].endswith("Ground_Truth/dent/2_Mask.Png")
