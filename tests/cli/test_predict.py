"""`zsadbench predict`: heat maps and scores of one's own images."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from zsadbench.pictures import overlay


@pytest.fixture
def photos(tmp_path):
    """Three images in a folder, one of them without an image in it."""
    folder = tmp_path / "my photos"
    (folder / "left").mkdir(parents=True)
    for index, name in enumerate(("one.png", "left/one.png", "two.JPG")):
        pixels = np.random.default_rng(index).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def test_a_folder_gives_heat_maps_and_a_list(cli, quick, photos, tmp_path):
    told = cli("predict", *quick, photos, "--out", tmp_path / "out")
    assert told.code == 0, told.err
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines()))
    assert [row["path"] for row in rows] == [str(photos / name) for name in ("left/one.png", "one.png", "two.JPG")]
    assert [row["heat_map"].rsplit("/")[-1] for row in rows] == ["one.png", "one-2.png", "two.png"]
    for row in rows:
        with Image.open(row["heat_map"]) as heat_map:
            assert heat_map.size == (60, 40)
        assert 0 <= float(row["score"]) <= 1
    listed = [line.split()[0] for line in told.out.splitlines() if "my photos" in line]
    assert listed == sorted(listed, reverse=True)


def test_json_gives_one_line_an_image_and_unreadable_ones_cost_5(cli, quick, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no image")
    told = cli("predict", *quick, photos, "--out", tmp_path / "out", "--json")
    assert told.code == 5
    assert "broken.png" in told.error
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [event["event"] for event in events] == ["image"] * 3
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines()))
    assert [row["score"] == "" for row in rows] == [True, False, False, False]


def test_a_trained_method_learns_first_as_run_does(cli, quick, photos, tmp_path):
    flags = [flag for flag in quick if flag not in {"--aux", "none"}]
    told = cli("predict", *flags, "--aux", "colondb", photos / "one.png", "--out", tmp_path / "out", "--json")
    assert told.code == 0, told.err
    untrained = cli("predict", *quick, photos / "one.png", "--out", tmp_path / "out", "--json")
    assert json.loads(told.out)["score"] != json.loads(untrained.out)["score"]
    assert len(list((tmp_path / "cache" / "checkpoints" / "fbclip").glob("*.safetensors"))) == 1


def test_it_scores_as_run_does(cli, quick, mini, tmp_path):
    record = json.loads(cli("run", *quick, "-t", "brainmri", "--save-maps", "--json").out.splitlines()[0])
    maps = tmp_path / record["path"].replace(".json", ".maps")
    scores = {
        row["path"]: float(row["score"]) for row in csv.DictReader((maps / "scores.csv").read_text().splitlines())
    }
    name, score = next(iter(scores.items()))
    image = next(path for path in (mini / "brainmri").rglob("*") if str(path).endswith(name))
    told = cli("predict", *quick, image, "--out", tmp_path / "out", "--json")
    found = json.loads(told.out)
    assert found["score"] == pytest.approx(score, abs=1e-6)
    assert found["highest"] == pytest.approx(float(np.load(maps / f"{name}.npy").max()), abs=1e-6)


def test_mistakes(cli, quick, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    assert cli("predict", *quick, tmp_path / "empty").code == 3
    assert cli("predict", *quick, "nowhere.png").code == 3
    assert cli("predict", *quick, "-m", "clip", photos).code == 2
    assert cli("predict", *quick[2:], photos).code == 2


def test_the_colour_scale_is_fixed():
    grey = Image.new("RGB", (4, 4), (128, 128, 128))
    low, high = (overlay(grey, np.full((2, 2), value, np.float32), 0.0, 1.0).getpixel((0, 0)) for value in (0.0, 1.0))
    beyond = overlay(grey, np.full((2, 2), 9.0, np.float32), 0.0, 1.0).getpixel((0, 0))
    assert low[2] > low[0]  # blue: nothing found
    assert high[0] > high[2]  # red
    assert beyond == high
    quiet = overlay(grey, np.linspace(0, 0.1, 4, dtype=np.float32).reshape(2, 2), 0.0, 1.0)
    pixels = np.asarray(quiet)
    assert (pixels[..., 2] > pixels[..., 0]).all()  # a faint map stays blue, however its values lie
