"""F1 at the best threshold of the auxiliary set: compared with all thresholds; found once, then cached."""

import json

import numpy as np
import pandas as pd
import pytest

from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.engine.evaluate import thresholds
from zsadbench.metrics import f1_max
from zsadbench.records import map_path, validate

AT = {"methods": ("clip",), "epochs": None, "metrics": ("image_f1@aux", "pixel_f1@aux"), "save_maps": True}
BOTTLE = {**AT, "targets": ("mvtec",), "classes": ("bottle",)}


@pytest.fixture
def scores_and_maps(mini):
    """`scores_and_maps(path, name, classes)`: scores, labels, maps and masks of a record of the data set `name`."""

    def make(path, name, classes):
        manifest = load_dataset(name, [mini]).manifest
        manifest = manifest[manifest["class"].isin(classes)]
        images = pd.read_parquet(path.with_suffix(".parquet")).set_index("path").loc[manifest["relative"]]
        maps = [np.load(map_path(path.with_suffix(".maps"), relative)) for relative in manifest["relative"]]
        zeros = np.zeros(maps[0].shape, np.uint8)
        masks = [resize_mask_nearest(read_mask(mask), len(zeros)) if mask else zeros for mask in manifest["mask"]]
        return images["score"].to_numpy(), images["label"].to_numpy(), np.stack(maps), np.stack(masks)

    return make


def f1_at(threshold, scores, labels):
    flagged, labels = scores >= np.float32(threshold), labels == 1
    return 2 * (flagged & labels).sum() / (flagged.sum() + labels.sum())


def test_the_threshold_is_that_of_the_auxiliary_set_and_found_once(run, scores_and_maps, tmp_path, monkeypatch):
    path, record = run(**BOTTLE, aux="btad").records[0]
    cuts = record.provenance["thresholds"]
    assert cuts["aux"] == "btad"
    (cached,) = (tmp_path / "cache" / "checkpoints" / "clip").glob("*.thresholds.json")
    assert json.loads(cached.read_text()) == cuts

    other, measured = run(**{**AT, "metrics": ()}, targets=("btad",), aux="mvtec").records[0]
    scores, labels, maps, masks = scores_and_maps(other, "btad", measured.expected)
    assert f1_at(cuts["image"], scores, labels) == f1_max(scores, labels)
    assert f1_at(cuts["pixel"], maps, masks) == f1_max(maps, masks)

    content = json.loads(path.read_text())
    validate(content)
    scores, labels, maps, masks = scores_and_maps(path, "mvtec", ["bottle"])
    row = content["classes"]["bottle"]
    assert row["image_f1@aux"] == f1_at(cuts["image"], scores, labels) <= row["image_f1max"]
    assert row["pixel_f1@aux"] == f1_at(cuts["pixel"], maps, masks) <= row["pixel_f1max"]

    monkeypatch.setattr(thresholds, "_score_auxiliary", None)  # nothing is scored again
    again = run(**{**BOTTLE, "classes": ("grid",)}, aux="btad")
    assert again.records[0][1].provenance["thresholds"] == cuts
    cached.write_text("{")
    monkeypatch.undo()
    renewed = run(**{**BOTTLE, "classes": ("cable",)}, aux="btad")
    assert renewed.records[0][1].provenance["thresholds"] == cuts


def test_a_trained_detector_uses_the_set_that_it_learned_from(run):
    request = {**BOTTLE, "methods": ("fbclip",), "epochs": 1, "options": ("recipe.batch=16",)}
    _, record = run(**request, aux="colondb").records[0]
    cuts = record.provenance["thresholds"]
    assert (cuts["aux"], cuts["image"]) == ("colondb", None)
    assert record.undefined["bottle"] == {"image_f1@aux": thresholds.ONE_CLASS}
    assert record.classes["bottle"]["pixel_f1@aux"] is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aux": "none"}, "there is no auxiliary set (--aux none), so no threshold"),
        ({"aux": "mvtec"}, "the auxiliary set is the target itself, whose threshold would be no surprise"),
        ({"aux": "mpdd"}, "the auxiliary set 'mpdd', which gives the threshold, is not at hand"),
    ],
)
def test_where_there_is_no_threshold_the_record_says_why(record_of, changes, reason):
    record = record_of(**{**BOTTLE, **changes})
    assert record["undefined"]["bottle"] == {"image_f1@aux": reason, "pixel_f1@aux": reason}
    assert "thresholds" not in record["provenance"]


def test_a_target_without_masks_has_no_f1_of_pixels(record_of):
    record = record_of(**AT, targets=("brainmri",), aux="btad")
    assert record["undefined"]["brain"]["pixel_f1@aux"] == "the data set has no masks"
    assert record["mean"]["image_f1@aux"] is not None


def test_the_auxiliary_set_is_scored_only_if_a_metric_needs_it(record_of, monkeypatch):
    monkeypatch.setattr(thresholds, "_score_auxiliary", None)
    assert "thresholds" not in record_of(**{**BOTTLE, "metrics": ()}, aux="btad")["provenance"]
