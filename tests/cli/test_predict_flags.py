"""`zsadbench predict`: thresholds, reference images, tiles, lists on stdin, watching, and every mistake in them."""

import csv
import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

FAST = ("-m", "colour-distance", "--backbone", "demo")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "left").mkdir(parents=True)
    for index, name in enumerate(("a.png", "left/b.png", "left/c.png")):
        pixels = np.random.default_rng(index).integers(0, 60 + 90 * index, (130, 150, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def rows_of(out):
    return list(csv.DictReader((out / "scores.csv").read_text().splitlines()))


COLUMNS = {
    "rank",
    "path",
    "score",
    "verdict",
    "threshold",
    "box_x0",
    "box_y0",
    "box_x1",
    "box_y1",
    "box_area",
    "peak_x",
    "peak_y",
    "seconds",
}


def test_a_threshold_gives_verdicts_and_the_table_has_its_columns(cli, photos, tmp_path):
    out = tmp_path / "out"
    assert cli("predict", *FAST, photos, "--out", out).code == 0
    scores = [float(row["score"]) for row in rows_of(out)]
    assert {row["verdict"] for row in rows_of(out)} == {""}
    told = cli("predict", *FAST, photos, "--out", out, "--threshold", scores[1], "--scale", "0,1")
    assert told.code == 0, told.err
    rows = rows_of(out)
    assert set(rows[0]) >= COLUMNS
    assert [row["verdict"] for row in rows] == ["anomalous", "normal", "normal"]
    assert "1 of 3 images are above the threshold" in told.out
    assert "images/s" in told.err
    for row in rows:
        x0, y0, x1, y1 = (int(row[f"box_{edge}"]) for edge in ("x0", "y0", "x1", "y1"))
        assert 0 <= x0 <= int(row["peak_x"]) < x1 <= 150
        assert 0 <= y0 <= int(row["peak_y"]) < y1 <= 130
        assert int(row["box_area"]) == (x1 - x0) * (y1 - y0)
        assert float(row["seconds"]) > 0
    again = cli("predict", *FAST, tmp_path, "--out", out, "--json")
    events = [json.loads(line) for line in again.out.splitlines()]
    assert len(events) == 3, "results of the earlier call are no images"
    assert all(event["scale"] != [0.0, 1.0] for event in events)


def test_a_list_on_stdin(cli, photos, tmp_path, monkeypatch):
    names = [str(photos / name) for name in ("a.png", "left/b.png")]
    for content in ("\n".join(names) + "\n", "\0".join(names)):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))
        told = cli("predict", *FAST, "-", "--out", tmp_path / "out", "--json", "-q")
        assert [json.loads(line)["path"] for line in told.out.splitlines()] == names
    assert sorted(path.name for path in (tmp_path / "out/maps").rglob("*.png")) == ["a.png", "b.png"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\n")))
    assert cli("predict", *FAST, "-").code == 3


def test_tiles_of_a_local_method_equal_the_whole_at_the_same_scale(cli, tmp_path):
    """240 × 240 whole at 240 pixels, and in tiles of 120 at 120: one patch is 10 pixels both times.

    Colours of patches are local, but each is compared with the mean of its own tile, so the image repeats.
    """
    tile = np.random.default_rng(0).integers(0, 255, (120, 120, 3), dtype=np.uint8)
    Image.fromarray(np.tile(tile, (2, 2, 1))).save(tmp_path / "image.png")
    found = {}
    for name, flags in {"whole": ("--image-size", 240), "tiled": ("--tile", 120, "--overlap", 0)}.items():
        told = cli("predict", *FAST, "image.png", "--out", name, "--json", *flags)
        assert told.code == 0, told.err
        found[name] = json.loads(told.out)
    assert found["tiled"]["score"] == pytest.approx(found["whole"]["score"], rel=1e-4)


def test_watching_ends_when_idle_and_goes_on_after_a_restart(cli, photos, tmp_path):
    flags = ("--watch", photos, "--out", tmp_path / "out", "--settle", 0.05, "--idle", 0.5, "--json")
    told = cli("predict", *FAST, *flags)
    assert told.code == 0, told.err
    assert len(told.out.splitlines()) == 3
    assert "0 images known" in told.err
    again = cli("predict", *FAST, *flags, "--threshold", 0.1)
    assert (again.code, again.out) == (0, "")
    assert "3 images known" in again.err
    assert {row["threshold"] for row in rows_of(tmp_path / "out")} == {"0.1"}
    assert (tmp_path / "out/index.html").is_file()
    other = cli("predict", "-m", "clip", "--backbone", "demo", *flags)
    assert other.code == 2
    assert "other settings (method" in other.error


def test_reference_images_change_the_scores_of_a_few_shot_method(cli, photos, tmp_path):
    few = ("-m", "winclip", "--backbone", "demo", photos / "a.png", "--json")
    alone = json.loads(cli("predict", *few).out)
    told = cli("predict", *few, "--reference", photos / "left")
    assert told.code == 0, told.err
    assert json.loads(told.out)["score"] != alone["score"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ((), 2, "no image named"),
        (("photos", "--watch", "photos"), 2, "name no other images"),
        (("--watch", "nowhere"), 3, "is no folder"),
        (("--watch", "photos", "--settle", "0"), 2, "--settle is 0"),
        (("--watch", "photos", "--idle", "-1"), 2, "--idle is -1"),
        (("photos", "--tile", "8"), 2, "--tile is 8"),
        (("photos", "--overlap", "8"), 2, "pass --tile too"),
        (("photos", "--tile", "64", "--overlap", "40"), 2, "--overlap is 40"),
        (("photos", "--scale", "1,0"), 2, "the smaller one first"),
        (("photos", "--scale", "x"), 2, "two numbers"),
        (("photos", "--threshold", "nan"), 2, "finite number"),
        (("photos", "--threshold", "nowhere.json"), 2, "is no file"),
        (("photos", "--threshold", "photos/a.png"), 2, "is no threshold file"),
        (("photos", "--reference", "nowhere"), 3, "is no folder"),
        (("photos", "--reference", "photos"), 2, "no few-shot form"),
        (("photos", "--batch-size", "0"), 2, "--batch-size"),
        (("nowhere.png",), 3, "no image and no folder"),
    ],
)
def test_mistakes_are_one_line(cli, photos, flags, code, said):
    told = cli("predict", *FAST, *flags, "--quiet")
    assert told.code == code, told.err
    assert said in told.error
    assert len(told.err.strip().splitlines()) == 1


def test_a_threshold_file_is_used_and_refused_for_another_detector(cli, photos, tmp_path):
    fitted = cli("threshold", "fit", *FAST, "--normal", photos, "--alpha", 0.3, "-o", "threshold.json")
    assert fitted.code == 0, fitted.err
    told = cli("predict", *FAST, photos, "--threshold", "threshold.json", "--out", "out", "--json")
    assert told.code == 0, told.err
    assert {event["verdict"] for event in map(json.loads, told.out.splitlines())} == {"normal"}
    assert "at most 30 %" in (tmp_path / "out/index.html").read_text()
    others = {
        "--class-name": ("bolt", "class word"),
        "--image-size": (240, "input size"),
        "--tile": (64, "size of tiles"),
    }
    for flag, (value, named) in others.items():
        refused = cli("predict", *FAST, photos, "--threshold", "threshold.json", flag, value)
        assert refused.code == 2
        assert f"fitted for another {named}" in refused.error
