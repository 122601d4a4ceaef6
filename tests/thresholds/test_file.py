"""The file of a threshold: written, read, and refused for another detector."""

import json

import pytest

from zsadbench.errors import UsageError
from zsadbench.thresholds import Level, Threshold, conformal_threshold, read_threshold, recall_of, write_threshold

DETECTOR = {
    "method": "clip",
    "code": {"method": "1", "pipeline": "2"},
    "options": {},
    "backbone": "demo",
    "weights_sha256": "a" * 64,
    "parameters": None,
    "class_name": "capsule",
    "image_size": 64,
    "precision": "fp32",
    "reference": None,
    "tiles": None,
}
SCORES = [index / 40 for index in range(40)]


@pytest.fixture
def made():
    fit = conformal_threshold(SCORES, 0.05)
    return Threshold(
        DETECTOR,
        Level(fit, recall_of(SCORES, [0.1, 0.99, 1.2], 0.05)),
        Level(fit),
        {"normal": {"images": 40, "sha256": ["b" * 64] * 40}},
        {"methods": ["clip"], "backbone": "demo"},
        {"zsadbench": "0"},
    )


def test_a_file_gives_back_what_was_written(made, tmp_path):
    write_threshold(tmp_path / "t.json", made)
    assert read_threshold(tmp_path / "t.json") == made
    content = json.loads((tmp_path / "t.json").read_text())
    assert "on average over 40 normal images" in content["image"]["guarantee"]
    made.check_detector({**DETECTOR, "tiles": None}, "t.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "fbclip"}, "another method: 'clip', not 'fbclip'"),
        ({"parameters": "c" * 64}, "another checkpoint: none, not cccccccccccc…"),
        ({"class_name": "pill"}, "another class word: 'capsule', not 'pill'"),
        ({"image_size": 128}, "another input size: 64, not 128"),
        ({"weights_sha256": "c" * 64, "image_size": 8}, r"another weights \(and in input size\): aaaaaaaaaaaa…, not"),
        ({"tiles": [512, 64]}, r"another size of tiles: none, not \[512, 64\]"),
        ({"options": {"temperature": 1.0}}, "another options of the method"),
    ],
)
def test_another_detector_is_refused(made, change, said):
    with pytest.raises(UsageError, match=said):
        made.check_detector({**DETECTOR, **change}, "t.json")


DAMAGE = {
    "empty": "",
    "no json": "{",
    "a list": "[]",
    "another schema": '{"schema": 2}',
    "nested": "[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_threshold_file_is_refused(content, tmp_path):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(UsageError, match="is no threshold file"):
        read_threshold(tmp_path / "t.json")


@pytest.mark.parametrize("value", ['"high"', "NaN", "null", "1e999"])
def test_a_threshold_that_is_no_number_is_refused(made, value, tmp_path):
    write_threshold(tmp_path / "t.json", made)
    text = (tmp_path / "t.json").read_text()
    (tmp_path / "t.json").write_text(text.replace(f'"threshold": {made.image.threshold}', f'"threshold": {value}'))
    with pytest.raises(UsageError, match="is no threshold file"):
        read_threshold(tmp_path / "t.json")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "t.json", tmp_path):
        with pytest.raises(UsageError, match="is no file; make one with zsadbench threshold fit"):
            read_threshold(path)
