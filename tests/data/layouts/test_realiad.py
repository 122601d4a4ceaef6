"""Real-IAD: labels from lists, five views per object, several resolutions."""

import json
import shutil
from pathlib import Path

import pytest

from zsadbench.data import load_dataset, synthesise
from zsadbench.errors import DataError


@pytest.fixture
def mini(tmp_path):
    """`mini(name, number=2)` → the root of a miniature below `tmp_path / "data"`."""
    return lambda name, number=2: synthesise(name, tmp_path / "data", number)


def load(name, root, **options):
    return load_dataset(name, [root.parent], **options)


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


def test_realiad_reads_the_lists_and_not_the_folders(mini, write_image):
    root = mini("realiad")
    write_image(root / "realiad_1024/audiojack/OK/S0099/audiojack_0099_OK_C1_2.jpg")
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
    with pytest.raises(
        DataError, match=r"missing \(mint\); in all: 116 of 114585 images; in all: 58 of 63256 normal, "
    ):
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
