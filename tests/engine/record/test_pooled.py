"""Metrics over all classes are those of all images and pixels in one array; resumed, incomplete and lost counts."""

import json

import numpy as np
import pandas as pd
import pytest

from zsadbench.cli.tables.results import remarks, table_rows
from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.metrics import average_precision, image_auroc, pixel_auroc
from zsadbench.records import Record, map_path, read_record, validate

POOLED = ("image_auroc@pooled", "image_ap@pooled", "pixel_auroc@pooled")
BTAD = {"targets": ("btad",), "aux": "none", "epochs": None}


def all_pixels(path, dataset):
    """Return all maps and masks of a record as arrays."""
    maps = [np.load(map_path(path.with_suffix(".maps"), relative)) for relative in dataset.manifest["relative"]]
    size = maps[0].shape[0]
    zeros = np.zeros((size, size), np.uint8)
    masks = [resize_mask_nearest(read_mask(mask), size) if mask else zeros for mask in dataset.manifest["mask"]]
    return np.stack(maps), np.stack(masks)


def test_all_classes_together_also_when_a_run_was_resumed(run, mini):
    request = {**BTAD, "save_maps": True, "metrics": POOLED}
    path, partial = run(**request, classes=("01", "03")).records[0]
    assert partial.pooled == {}
    content = json.loads(path.read_text())
    assert any("one number over all classes" in line for line in remarks(partial))
    assert content["mean"] is None
    assert "1 of 3 classes are not evaluated yet" in content["undefined"]["mean"]["pixel_auroc@pooled"]
    path, record = run(**request).records[0]
    content = json.loads(path.read_text())
    validate(content)
    assert not any("one number over all classes" in line for line in remarks(record))
    assert read_record(path).pooled == record.pooled == content["pooled"]
    images = pd.read_parquet(path.with_suffix(".parquet"))
    assert content["mean"]["image_auroc@pooled"] == image_auroc(images["score"], images["label"])
    assert content["mean"]["image_ap@pooled"] == average_precision(images["score"], images["label"])
    maps, masks = all_pixels(path, load_dataset("btad", [mini]))
    pooled = content["pooled"]["pixel_auroc@pooled"]
    assert pooled["lower"] <= pixel_auroc(maps, masks) <= pooled["upper"]
    assert pooled["upper"] - pooled["lower"] < 1e-3
    assert content["mean"]["pixel_auroc@pooled"] == pooled["value"]
    assert content["mean_classes"]["pixel_auroc@pooled"] == 3
    for name in content["classes"]:
        assert content["classes"][name]["pixel_auroc@pooled"] is None
        assert content["undefined"][name]["pixel_auroc@pooled"] == "it is one number over all classes, not one a class"
    assert content["identity"] == json.loads(run(**BTAD).records[0][0].read_text())["identity"]

    path.with_suffix(".pooled.npz").write_bytes(b"torn")
    again = run(**{**request, "metrics": (*POOLED, "pixel_aupro@0.05")}, classes=("01",)).records[0][1]
    assert again.mean()[0]["pixel_auroc@pooled"] is None
    assert "the counts of pixels of 02, 03" in again.pooled["pixel_auroc@pooled"]["reason"]
    assert again.mean()[0]["image_auroc@pooled"] == content["mean"]["image_auroc@pooled"]


@pytest.mark.parametrize("loss", ["deleted", "cut off", "rows", "a label"])
def test_scores_are_not_ranked_over_the_images_that_are_left(run, loss):
    path, before = run(**BTAD, metrics=POOLED[:1]).records[0]
    table = path.with_suffix(".parquet")
    images = pd.read_parquet(table)
    of_others = images["class"] != "01"
    if loss == "deleted":
        table.unlink()
    elif loss == "cut off":
        table.write_bytes(table.read_bytes()[:-30])
    elif loss == "rows":
        images[~of_others | (images["label"] == 1)].to_parquet(table)
    else:
        images.assign(label=images["label"].where(~of_others, 1)).to_parquet(table)
    record = run(**BTAD, metrics=POOLED[:2], classes=("01",)).records[0][1]
    for metric in POOLED[:1]:
        assert record.mean()[0][metric] is None
        reason = "the rows of 02, 03 in the table of images are lost; --overwrite always makes them again"
        assert record.pooled[metric]["reason"] == reason
    whole = run(**BTAD, metrics=POOLED[:2], overwrite="always").records[0][1]
    assert whole.mean()[0]["image_auroc@pooled"] == before.mean()[0]["image_auroc@pooled"]


def test_a_set_of_one_class_and_without_masks(record_of):
    record = record_of(aux="none", epochs=None, metrics=POOLED)
    assert record["mean"]["image_auroc@pooled"] == record["mean"]["image_auroc"]
    assert record["pooled"]["pixel_auroc@pooled"] == {
        **{"value": None, "lower": None, "upper": None},
        "reason": "the data set has no masks",
    }


def test_without_such_a_metric_no_counts_are_written(run):
    path, record = run(**BTAD, classes=("01",)).records[0]
    assert not path.with_suffix(".pooled.npz").exists()
    assert "pooled" not in json.loads(path.read_text())
    assert record.pooled == {}


@pytest.mark.parametrize(("bounds", "shown"), [((0.9729, 0.9731), "97.3"), ((0.9724, 0.9731), "97.3 [97.2, 97.3]")])
def test_the_table_shows_it_in_the_row_of_the_mean(bounds, shown):
    entry = {"value": 0.973, "lower": bounds[0], "upper": bounds[1], "reason": None}
    cell = {"method": "clip", "seed": 0, "shots": 0}
    classes = {"a": {"pixel_auroc@pooled": None}}
    record = Record(cell, ["a"], classes, pooled={"pixel_auroc@pooled": entry})
    assert [row[-1] for row in table_rows([record], ["pixel_auroc@pooled"])] == ["-", shown]
