"""`zsadbench predict`: heat maps and scores of one's own images."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.cli.tables.predictions import print_predictions
from zsadbench.pictures import overlay
from zsadbench.predict.limits import Limits
from zsadbench.predict.prediction import Prediction


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
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
    maps = {row["path"]: row["heat_map"] for row in rows}
    assert maps == {
        str(photos / name): str(tmp_path / "out/maps" / name.replace(".JPG", ".png"))
        for name in ("left/one.png", "one.png", "two.JPG")
    }
    assert (tmp_path / "out/index.html").is_file()
    for row in rows:
        with Image.open(row["heat_map"]) as heat_map:
            assert heat_map.width > 2 * 256, "overlay and map side by side, small images enlarged"
        assert 0 <= float(row["score"]) <= 1
    listed = [line.split()[0] for line in told.out.splitlines() if line.endswith((".png", ".JPG"))]
    assert len(listed) == 3
    assert listed == sorted(listed, reverse=True)


def test_json_gives_one_line_an_image_and_unreadable_ones_cost_5(cli, quick, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no image")
    told = cli("predict", *quick, photos, "--out", tmp_path / "out", "--json")
    assert told.code == 5
    assert "broken.png" in told.error
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [event["event"] for event in events] == ["image"] * 3
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines()))
    assert [row["score"] == "" for row in rows] == [False, False, False, True]
    assert "cannot be read" in rows[-1]["failure"]


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


CLIP = ("-m", "clip", "--backbone", "demo")


def scores_of(path):
    return {row["path"]: float(row["score"]) for row in csv.DictReader(path.read_text().splitlines())}


@pytest.mark.parametrize("arrangement", ["{label}", "test/{label}", "gadget/test/{label}"])
def test_run_and_predict_use_one_word_and_give_one_score(cli, photos, tmp_path, arrangement):
    root = tmp_path / "metal nut"
    for label, photo in (("good", "one.png"), ("dent", "left/one.png")):
        (root / arrangement.format(label=label)).mkdir(parents=True)
        (root / arrangement.format(label=label) / "1.png").write_bytes((photos / photo).read_bytes())
    word = "gadget" if "gadget" in arrangement else "metal nut"
    ran = cli("run", *CLIP, "-t", f"folder:{root}", "--json")
    assert f"'{word}' in prompts" in ran.err
    table = pd.read_parquet((tmp_path / json.loads(ran.out.splitlines()[0])["path"]).with_suffix(".parquet"))
    told = cli("predict", *CLIP, f"folder:{root}", "--out", tmp_path / "out")
    assert f"'{word}' in prompts of 2 images (--class-name changes it)" in told.err
    found = scores_of(tmp_path / "out/scores.csv")
    assert found == {
        str(root / path): pytest.approx(score, abs=1e-6) for path, score in table[["path", "score"]].values
    }
    cli("predict", *CLIP, f"folder:{root}", "--class-name", "object", "--out", tmp_path / "named")
    cli("predict", *CLIP, *sorted(found), "--out", tmp_path / "plain")
    assert scores_of(tmp_path / "named/scores.csv") == scores_of(tmp_path / "plain/scores.csv") != found


def test_classes_of_a_table_are_its_words(cli, photos, tmp_path):
    (photos / "list.csv").write_text("path,label,class\none.png,0,metal_nut\ntwo.JPG,1,cap\n")
    told = cli("predict", *CLIP, f"csv:{photos}/list.csv", "--out", tmp_path / "out")
    assert "'metal nut' in prompts of 1 image (" in told.err
    assert "'cap' in prompts of 1 image (" in told.err


def test_progress_and_the_demo_backbone_are_said_where_stderr_is_no_terminal(cli, photos, tmp_path):
    told = cli("predict", *CLIP, photos, "--out", tmp_path / "out")
    assert "warning: the demo backbone knows generated pictures alone" in told.err
    assert "3 of 3 images" in told.err
    quiet = cli("predict", *CLIP, photos, "--out", tmp_path / "out", "--quiet")
    assert not quiet.err


def test_no_heading_stands_over_nothing(cli, tmp_path):
    (tmp_path / "page.png").write_bytes(b"%PDF-1.7")
    told = cli("predict", *CLIP, tmp_path / "page.png", "--out", tmp_path / "out")
    assert (told.code, told.out) == (5, "")
    assert "it is a PDF document; export it as PNG" in told.err


def test_of_equal_scores_the_highest_map_comes_first(capsys):
    predictions = [Prediction(Path(f"{name}.png"), 1.0, high, Path("x")) for name, high in (("a", 0.2), ("b", 0.9))]
    print_predictions([*predictions, Prediction(Path("c.png"), 0.5, 2.0, Path("x"))], Path("out"), Limits())
    listed = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if ".png" in line]
    assert listed == ["b.png", "a.png", "c.png"]


# --- methods that compare images ---------------------------------------------------------------------

ENCODER = ("--backbone", "vit_small_patch14_dinov2.lvd142m", "--weights", "random", "--image-size", 56)


@pytest.fixture
def photographs(tmp_path):
    """Seven noisy pictures, one of them with a bright square, and three of the same kind in `good`."""

    random = np.random.default_rng(0)
    for number in range(10):
        pixels = random.integers(90, 110, (80, 80, 3)).astype(np.uint8)
        pixels[20:60, 20:60] += 60
        if number == 0:
            pixels[30:40, 30:40] = 255
        folder = tmp_path / ("good" if number > 6 else "photos")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("method", ["musc", "anomalydino", "patchcore", "afclip-memory"])
def test_a_folder_of_photographs_needs_nothing_but_an_image_encoder(cli, photographs, method):
    reference = () if method == "musc" else ("--reference", photographs / "good")
    options = ("-O", "angles=0,90") if method == "anomalydino" else ()
    told = cli(
        *("predict", "-m", method, photographs / "photos", *reference, *ENCODER, *options),
        *("--out", photographs / "out", "--json"),
    )
    assert told.code == 0, told.error
    scores = {Path(event["path"]).stem: event["highest"] for event in map(json.loads, told.out.splitlines())}
    assert len(scores) == 7
    assert max(scores, key=scores.get) == "0"
    assert len(list((photographs / "out" / "maps").rglob("*.png"))) == 7


@pytest.mark.parametrize(
    ("method", "more", "code", "message"),
    [
        ("anomalydino", (), 2, "pass --reference FOLDER"),
        ("patchcore", (), 2, "pass --reference FOLDER"),
        ("musc", ("--reference", "good"), 2, "no few-shot form"),
        ("token-distance", ("--reference", "good"), 2, "no few-shot form"),
    ],
)
def test_normal_images_are_asked_for_and_refused(cli, photographs, method, more, code, message):
    given = [photographs / part if part == "good" else part for part in more]
    told = cli("predict", "-m", method, photographs / "photos", *given, *ENCODER, "--out", photographs / "out")
    assert told.code == code
    assert message in told.error


def test_a_single_image_is_refused_by_a_method_that_compares_images(cli, photographs):
    told = cli("predict", "-m", "musc", photographs / "photos" / "0.png", *ENCODER, "--out", photographs / "out")
    assert told.code == 5
    assert "needs at least 5; 1 was given" in told.error
