"""`zsadbench explain`: the stages of a method as pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from zsadbench.registry import method_card

CUES = ("local_saliency", "distance_to_mean", "unlike_class_token", "change_between_taps")


@pytest.fixture
def photo(tmp_path):
    """An image of 60 × 30 with a bright square in it."""
    pixels = np.random.default_rng(0).integers(0, 60, (30, 60, 3), dtype=np.uint8)
    pixels[8:20, 30:45] = 255
    path = tmp_path / "photo <1>.png"
    Image.fromarray(pixels).save(path)
    return path


def read(folder):
    return json.loads((folder / "stages.json").read_text())


def by_name(about):
    return {stage["name"]: stage for stage in about["stages"]}


def test_fbclip_shows_what_the_paper_shows(cli, quick, photo, tmp_path):
    told = cli("explain", *quick, photo, "--out", tmp_path / "out", "--class", "bolt", "--json")
    assert told.code == 0, told.err
    event = json.loads(told.out)
    folder = tmp_path / "out" / "photo-1-"
    assert (event["folder"], event["pictures"]) == (str(folder), len(list(folder.glob("*.png"))) - 1)
    about = read(folder)
    assert (about["method"], about["class_name"], about["score"]) == ("fbclip", "bolt", event["score"])
    stages = by_name(about)
    wanted = {f"cue_{cue}_l24" for cue in CUES} | {"foreground_mask", "map_before_suppression", "map_grid", "map"}
    for view in ("id", "sem", "spa"):
        wanted |= {f"{view}_l12", f"fb_attention_l12_{view}", f"background_similarity_l12_{view}"}
    assert all(stages[name]["pictures"] for name in wanted)
    assert "cue_change_between_taps_l01" not in stages, "the first tap has none before it"
    assert [one["label"] for one in stages["foreground_mask"]["pictures"]] == ["l01", "l06", "l12", "l18", "l24"]
    assert set(stages["foreground_mask"]) >= {"shape", "min", "max", "equation", "paper", "scale"}
    assert stages["foreground_mask"]["min"] == 0.5
    assert stages["text_features"]["pictures"] == []
    assert "whole image" in stages["text_features"]["not_drawn"]


def test_every_picture_has_the_aspect_of_its_image(cli, quick, photo, tmp_path):
    assert cli("explain", *quick, photo, "--out", tmp_path / "out").code == 0
    folder = tmp_path / "out" / "photo-1-"
    named = {one["file"] for stage in read(folder)["stages"] for one in stage["pictures"]}
    assert named == {path.name for path in folder.glob("*.png")} - {"sheet.png"}
    for name in named:
        with Image.open(folder / name) as picture:
            assert picture.size == (448, 224)


def test_the_scale_is_the_same_for_every_image(cli, quick, photo, tmp_path):
    dark = tmp_path / "dark.png"
    Image.new("RGB", (60, 30)).save(dark)
    assert cli("explain", *quick, photo, dark, "--out", tmp_path / "out").code == 0
    first, second = (by_name(read(tmp_path / "out" / name)) for name in ("photo-1-", "dark"))
    assert first.keys() == second.keys()
    assert all(first[name].get("scale") == second[name].get("scale") for name in first)


@pytest.mark.parametrize(
    "method", ["aaclip", "adaclip", "afclip", "anomalyclip", "aprilgan", "clip", "faprompt", "token-distance"]
)
def test_other_methods_show_what_they_publish(cli, quick, photo, tmp_path, method):
    told = cli("explain", "-m", method, *quick[2:], "--image-size", 70, photo, "--out", tmp_path / "out")
    assert told.code == 0, told.err
    stages = by_name(read(tmp_path / "out" / "photo-1-"))
    assert stages["map_grid"]["pictures"]
    assert stages["map"]["pictures"]
    card = method_card(method)
    for note in card.notes:
        absent = ("memory", "few_shot", "zero_shot", "plain")  # of few shots, and of another path
        assert note.stages.startswith(absent) or any(one.get("title") == note.title for one in stages.values())


def test_the_map_is_the_one_that_predict_draws(cli, quick, photo, tmp_path):
    cli("explain", *quick, photo, "--out", tmp_path / "out")
    told = cli("predict", *quick, photo, "--out", tmp_path / "predicted", "--json")
    stages = by_name(read(tmp_path / "out" / "photo-1-"))
    assert stages["map"]["max"] == pytest.approx(json.loads(told.out)["highest"], abs=1e-6)


def test_bad_input_is_one_line(cli, quick, photo, tmp_path):
    assert "nowhere.png" in cli("explain", *quick, "nowhere.png").error
    assert cli("explain", *quick, "-m", "clip", photo).code == 2
    assert "fbclp" in cli("explain", "-m", "fbclp", *quick[2:], photo).error
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    told = cli("explain", *quick, broken, photo, "--out", tmp_path / "out")
    assert told.code == 5
    assert "broken.png" in told.error
    assert (tmp_path / "out" / "photo-1-" / "sheet.png").is_file(), "the others are drawn"
