"""SegF1 in a record: the threshold is that of the normal validation images, found once; reasons where there is none."""

import json
import shutil

import numpy as np
import pytest

from zsadbench.data import load_dataset, read_mask, resize_mask_nearest, synthesise
from zsadbench.engine.evaluate import normal_thresholds
from zsadbench.engine.evaluate.normal_thresholds import LEARNS_PER_CLASS, NO_VALIDATION
from zsadbench.metrics import aupro, segf1
from zsadbench.predict.detector import make_detector
from zsadbench.records import map_path, validate

ADDED = ("pixel_aupro@0.05", "pixel_segf1")
VIAL = {"methods": ("clip",), "epochs": None, "targets": ("mvtec2",), "classes": ("vial",), "aux": "none"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    root = tmp_path_factory.mktemp("shelf")
    synthesise("mvtec2", root, 3)
    return root


@pytest.fixture
def vial(shelf, tmp_path):
    """The request of a run on a copy of the miniature, which may be changed."""
    shutil.copytree(shelf / "mvtec_ad_2", tmp_path / "data/mvtec_ad_2")
    return {**VIAL, "data_roots": (tmp_path / "data",)}


def test_the_benchmark_adds_its_metrics_and_the_numbers_are_those_of_the_maps(run, request_for, vial):
    path, record = run(**vial, save_maps=True).records[0]
    content = json.loads(path.read_text())
    validate(content)
    assert [*record.classes["vial"]][-2:] == [*ADDED]
    cut = record.provenance["thresholds"]["by_class"]["vial"]

    detector = make_detector(request_for(**vial))
    validation = load_dataset("mvtec2", vial["data_roots"], splits=("validation",))
    images = validation.manifest[validation.manifest["class"] == "vial"]
    assert len(images) == 3
    normal = detector.predict(images["path"].tolist(), "vial").pixel.numpy().astype(np.float64)
    assert cut == pytest.approx(normal.mean() + 3 * normal.std(), rel=1e-5)
    assert record.provenance["thresholds"]["validation"] == validation.fingerprint

    rows = load_dataset("mvtec2", vial["data_roots"]).manifest
    rows = rows[rows["class"] == "vial"]
    maps = np.stack([np.load(map_path(path.with_suffix(".maps"), relative)) for relative in rows["relative"]])
    blank = np.zeros(maps[0].shape, np.uint8)
    masks = [resize_mask_nearest(read_mask(mask), len(blank)) if mask else blank for mask in rows["mask"]]
    assert record.classes["vial"]["pixel_segf1"] == segf1(maps, np.stack(masks), cut)
    assert record.classes["vial"]["pixel_aupro@0.05"] == aupro(maps, np.stack(masks), limit=0.05)


def test_other_benchmarks_have_the_usual_columns(record_of):
    record = record_of(**{**VIAL, "targets": ("mvtec",), "classes": ("bottle",)})
    assert not {*ADDED} & {*record["classes"]["bottle"], *(record["mean"] or {})}
    assert "thresholds" not in record["provenance"]


def test_it_is_found_once_and_a_damaged_cache_is_written_again(run, vial, tmp_path, monkeypatch):
    first = run(**vial).records[0][1]
    (cached,) = (tmp_path / "cache/checkpoints/clip").glob("*.normal-thresholds.json")
    with monkeypatch.context() as patch:
        patch.setattr(normal_thresholds, "_threshold_of", None)  # nothing is scored again
        again = run(**vial, overwrite="always").records[0][1]
    assert again.provenance["thresholds"] == first.provenance["thresholds"]
    for damage in ("{", "[]", '{"vial": NaN}', '{"vial": "x"}'):
        cached.write_text(damage)
        renewed = run(**vial, overwrite="always").records[0][1]
        assert renewed.classes == first.classes
        assert json.loads(cached.read_text()) == first.provenance["thresholds"]["by_class"]


def test_other_validation_images_give_another_threshold(run, vial, tmp_path):
    first = run(**vial).records[0][1]
    images = sorted((tmp_path / "data/mvtec_ad_2/vial/validation/good").iterdir())
    bad = tmp_path / "data/mvtec_ad_2/vial/test_public/bad/000_regular.png"
    shutil.copy(bad, images[0])
    second = run(**vial, overwrite="always").records[0][1]
    cuts = [record.provenance["thresholds"]["by_class"]["vial"] for record in (first, second)]
    assert cuts[0] != cuts[1]
    assert {**first.classes["vial"], "pixel_segf1": 0} == {**second.classes["vial"], "pixel_segf1": 0}


def test_shards_count_the_same(request_for, run, vial, tmp_path, contents_of):
    for name, shard in (("whole", None), ("shards", 2)):
        assert not run(**vial, batch_size=1, shard=shard, out=tmp_path / name).failures
    assert contents_of(tmp_path / "shards") == contents_of(tmp_path / "whole")


@pytest.mark.parametrize("empty", [True, False])
def test_without_validation_images_the_record_says_why(record_of, vial, tmp_path, empty):
    root = tmp_path / "data/mvtec_ad_2"
    for folder in root.glob("*/validation" if empty else "vial/validation"):
        shutil.rmtree(folder)
    record = record_of(**vial)
    assert record["classes"]["vial"]["pixel_segf1"] is None
    assert record["undefined"]["vial"]["pixel_segf1"] == NO_VALIDATION
    assert record["classes"]["vial"]["pixel_aupro@0.05"] is not None


def test_it_can_be_asked_for_anywhere_and_says_why_it_is_undefined(record_of, mini):
    record = record_of(**{**VIAL, "targets": ("mvtec",), "classes": ("bottle",)}, metrics=("pixel_segf1",))
    assert record["undefined"]["bottle"]["pixel_segf1"] == NO_VALIDATION
    record = record_of(**{**VIAL, "targets": ("brainmri",), "classes": ()}, metrics=("pixel_segf1",))
    assert record["undefined"]["brain"]["pixel_segf1"] == "the data set has no masks"


def test_few_shots_are_remembered_before_the_validation_images_are_scored(run, vial):
    shots = {**vial, "methods": ("aprilgan",), "shots": (1,)}
    _, record = run(**shots).records[0]
    plain = run(**{**shots, "shots": ()}).records[0][1]
    cuts = [each.provenance["thresholds"]["by_class"]["vial"] for each in (record, plain)]
    assert cuts[0] != cuts[1]
    assert record.classes["vial"]["pixel_segf1"] is not None


def test_a_method_that_learns_per_class_has_no_threshold(run, vial):
    results = run(**{**vial, "methods": ("promptad",), "shots": (1,), "aux": None, "epochs": 1})
    assert not results.failures
    assert results.records[0][1].undefined["vial"]["pixel_segf1"] == LEARNS_PER_CLASS
