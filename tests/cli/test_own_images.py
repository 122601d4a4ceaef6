"""One's own images on the command line: scored without labels, measured with them, refused where there are none."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.data import load_dataset, synthesise
from zsadbench.metrics import image_auroc


@pytest.fixture
def photos(tmp_path):
    """A flat folder of three images, and a table that names two of them."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    for index, name in enumerate(("a b.png", "Ü.jpg", "c.tif")):
        pixels = np.random.default_rng(index).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "list.csv").write_text("path,label\nÜ.jpg,1\na b.png,0\n", encoding="utf-8")
    return folder


def scored(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def test_a_flat_folder_and_a_table_are_scored(cli, quick, photos, tmp_path):
    told = cli("predict", *quick, f"folder:{photos}", "--out", tmp_path / "out")
    assert told.code == 0, told.err
    assert scored(tmp_path / "out/scores.csv") == [str(photos / name) for name in ("a b.png", "c.tif", "Ü.jpg")]
    told = cli("predict", *quick, f"csv:{photos / 'list.csv'}", "--out", tmp_path / "out", "--json")
    assert [json.loads(line)["path"] for line in told.out.splitlines()] == [
        str(photos / name) for name in ("Ü.jpg", "a b.png")
    ]


def test_a_flat_folder_is_not_measured_and_says_what_to_do(cli, quick, photos):
    told = cli("run", *quick, "-t", f"folder:{photos}")
    assert told.code == 3
    assert f"'{photos}' holds no labels" in told.error
    assert f"zsadbench predict 'folder:{photos}'" in told.error
    assert cli("run", *quick, "-t", "folder:nowhere").code == 3
    assert cli("run", *quick, "-t", "csv:nowhere.csv").code == 3
    assert cli("run", *quick, "-t", "csv:").code == 2


def test_a_table_is_measured(cli, quick, photos):
    told = cli("run", *quick, "-t", f"csv:{photos / 'list.csv'}", "--json")
    assert told.code == 0, told.err
    record = json.loads(told.out.splitlines()[0])
    assert record["target"] == "csv:list"
    assert record["mean"]["image_auroc"] in {0.0, 0.5, 1.0}
    assert record["mean"]["pixel_auroc"] is None
    (photos / "list.csv").write_text("path,label\na b.png,2\n")
    told = cli("run", *quick, "-t", f"csv:{photos / 'list.csv'}")
    assert told.code == 3
    assert "list.csv' line 2: label '2' is none of 0, normal" in told.error


def test_check_and_fingerprint_take_them_too(cli, photos, tmp_path):
    told = cli("datasets", "check", f"csv:{photos / 'list.csv'}", "--deep", "--json")
    assert told.code == 0
    found = json.loads(told.out)
    assert (found["name"], found["complete"], found["masks"]["number"]) == ("csv:list", True, 0)
    (photos / "two\nlines.png").write_bytes(b"")
    (photos / "list.csv").write_text('path,label\n"two\nlines.png",1\n')
    told = cli("datasets", "check", f"csv:{photos / 'list.csv'}")
    assert told.code == 3
    assert "two\\nlines.png' cannot be read as an image" in told.out


def test_a_fingerprint_describes_masks_and_adds_pixels_when_asked(cli, mini):
    plain = cli("datasets", "fingerprint", "colondb", "--data-root", mini)
    assert plain.code == 0
    first, layout, masks = plain.out.splitlines()
    assert layout == "layout: bundle"
    assert masks.startswith("masks: 1, 0 blank, 0 with more than two grey values, ")
    deep = json.loads(cli("datasets", "fingerprint", "colondb", "--data-root", mini, "--deep", "--json").out)
    assert first.split()[0] == deep["fingerprint"]
    assert len(deep["content"]) == 64
    assert deep["content"] != deep["fingerprint"]
    assert f"identity {deep['masks']['digest'][:16]}" in masks
    assert f"content: {deep['content']}" in cli("datasets", "fingerprint", "colondb", "--data-root", mini, "--deep").out


def test_a_card_is_shown_with_words_counts_and_editions(cli):
    told = cli("datasets", "show", "visa").out
    assert "words in prompts: pipe_fryum: pipe fryum\n" in told
    assert "pcb2: integrated circuits board" in told
    assert "words of winclip: the classes as they are\n" in told
    assert "test images: 962 normal, 1200 anomalous\n" in told
    assert (
        "test images: 63256 normal, 51329 anomalous (not confirmed), 114585 in all\n"
        in cli("datasets", "show", "realiad").out
    )
    assert "other editions: PraNet's TestDataset\n" in cli("datasets", "show", "kvasir").out


def test_views_of_one_object_count_as_one_image_where_asked(cli, quick, tmp_path):
    synthesise("realiad", tmp_path / "data", 6)
    samples = load_dataset("realiad", [tmp_path / "data"]).manifest.set_index("relative")["sample"]
    where = ("--data-root", tmp_path / "data", "--class", "audiojack,usb")
    asked = [flag for name in ("image_auroc@sample", "image_auroc@sample_mean") for flag in ("--metric", name)]
    told = cli("run", *quick, "-t", "realiad", *where, *asked, "--json")
    assert told.code == 0, told.err
    path = tmp_path / json.loads(told.out.splitlines()[0])["path"]
    record = json.loads(path.read_text())
    assert record["provenance"]["data_layout"] == "official:realiad_1024:realiad_jsons/realiad_jsons"
    images = pd.read_parquet(path.with_suffix(".parquet")).assign(sample=lambda frame: frame["path"].map(samples))
    assert set(images["class"]) == {"audiojack", "usb"}
    for name, rows in images.groupby("class"):
        for metric, rule in (("image_auroc@sample", "max"), ("image_auroc@sample_mean", "mean")):
            objects = rows.groupby("sample").agg({"score": rule, "label": "max"})
            assert 1 < len(objects) < len(rows)
            expected = image_auroc(objects["score"].to_numpy(), objects["label"].to_numpy())
            assert record["classes"][name][metric] == pytest.approx(expected, abs=1e-9)


def test_sets_without_views_have_no_score_by_object_and_say_why(cli, quick):
    told = cli("run", *quick, "-t", "brainmri", "--metric", "image_auroc@sample", "--json")
    record = json.loads(told.out.splitlines()[0])
    assert record["mean"]["image_auroc@sample"] is None
    undefined = json.loads(Path(record["path"]).read_text())["undefined"]
    assert undefined["brain"]["image_auroc@sample"] == "the data set does not show its objects from several sides"
