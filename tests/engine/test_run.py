"""A run from images to records."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from zsadbench import metrics
from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.record import writer
from zsadbench.engine.run import run_plan
from zsadbench.errors import CellError
from zsadbench.records import read_results, validate

UNTRAINED = {"aux": "none", "epochs": None}
IMAGE = ("image_auroc", "image_ap", "image_f1max")


def test_an_image_level_set_has_null_pixel_metrics_with_the_reason(record_of):
    record = record_of()
    validate(record)
    row = record["classes"]["brain"]
    assert list(row) == [str(name) for name in metrics.DEFAULT_NAMES]
    assert all(row[name] is not None for name in IMAGE)
    assert all(value is None for name, value in row.items() if name not in IMAGE)
    assert set(record["undefined"]["brain"].values()) == {"the data set has no masks"}
    assert record["counts"]["brain"] == {"normal": 3, "anomalous": 3, "regions": 0, "skipped": 0, "left_out": 0}


def test_a_set_without_normal_images_has_null_image_metrics_with_the_reason(record_of):
    record = record_of(targets=("colondb",), aux="mvtec", options=("recipe.batch=16",))
    row = record["classes"]["colon"]
    assert all(row[name] is None for name in IMAGE)
    assert all(record["undefined"]["colon"][name] == "no normal image" for name in IMAGE)
    assert all(value is not None for name, value in row.items() if name not in IMAGE)
    assert record["mean"]["pixel_aupro"] == row["pixel_aupro"]
    assert record["counts"]["colon"]["regions"] > 0


def test_the_record_has_its_provenance(record_of):
    record = record_of()
    assert not record["comparable"]
    assert "random weights" in record["not_comparable_because"]
    assert torch.__version__.startswith(record["provenance"]["packages"]["torch"])
    assert record["provenance"]["checkpoint_sha256"]
    assert record["cost"]["seconds"]["tower"] > 0
    assert record["cost"]["parameters_trained"] < record["cost"]["parameters_total"]
    assert record["cost"]["shared"] is False
    assert (record["ledger"]["aux"], record["ledger"]["grade"]) == ("colondb", "clean")
    assert record["signature"].startswith(
        "fbclip|ViT-64x12-14-28:random|aux:colondb|size:28|protocol:strict|fp32|seed:0"
    )
    assert record["signature"].endswith(record["identity"][:16])


def test_the_same_run_gives_the_same_bytes_with_any_number_of_threads(request_for, tmp_path, monkeypatch):
    """Each run has its own cache, so that it trains."""
    classes = []
    for name, workers in (("first", 0), ("second", 3)):
        monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / name / "cache"))
        request = request_for(out=tmp_path / name, workers=workers, targets=("mvtec",), classes=("bottle", "grid"))
        ((path, _),) = run_plan(make_plan(request)).records
        classes.append(json.dumps(json.loads(path.read_text())["classes"]))
    assert classes[0] == classes[1]


def test_a_class_at_a_time_completes_the_record(run):
    (path, first) = run(**UNTRAINED, targets=("mvtec",), classes=("grid", "bottle")).records[0]
    content = json.loads(path.read_text())
    assert list(content["classes"]) == ["bottle", "grid"]  # the card's order
    assert content["mean"] is None
    assert content["undefined"]["mean"]["pixel_auroc"].startswith("13 of 15 classes are not evaluated yet: cable")
    results = run(**UNTRAINED, targets=("mvtec",))
    (again, whole) = results.records[0]
    assert again == path
    assert whole.complete
    assert whole.classes["grid"] == first.classes["grid"]
    content = json.loads(path.read_text())
    expected = np.mean([row["pixel_auroc"] for row in content["classes"].values()])
    assert content["mean"]["pixel_auroc"] == pytest.approx(expected, abs=1e-12)
    assert content["mean_classes"]["pixel_auroc"] == 15
    images = pd.read_parquet(path.with_suffix(".parquet"))
    assert len(images) == 60
    assert set(images.columns) == {"path", "class", "label", "defect", "score", "seconds"}
    assert images["path"].is_unique


def test_a_complete_record_is_skipped_unless_it_is_overwritten(run):
    first = run()
    assert first.finished == 1
    path = first.records[0][0]
    written = path.stat().st_mtime_ns
    again = run()
    assert (again.finished, again.skipped) == (0, 1)
    assert path.stat().st_mtime_ns == written
    assert run(overwrite="always").finished == 1
    assert path.stat().st_mtime_ns != written


def test_a_second_run_trains_nothing(request_for, tmp_path):
    events = []

    class Recorder:
        def __getattr__(self, name):
            return lambda *arguments: events.append(name)

    run_plan(make_plan(request_for()), Recorder())
    assert "training" in events
    events.clear()
    run_plan(make_plan(request_for(out=tmp_path / "elsewhere")), Recorder())
    assert "training" not in events
    assert "trained" in events


def test_a_broken_cached_checkpoint_is_trained_again(request_for, tmp_path):
    first = run_plan(make_plan(request_for()))
    (cached,) = (tmp_path / "cache" / "checkpoints" / "fbclip").glob("*.safetensors")
    cached.write_bytes(cached.read_bytes()[:100])
    again = run_plan(make_plan(request_for(out=tmp_path / "elsewhere")))
    assert not again.failures
    assert first.records[0][1].classes == again.records[0][1].classes


def test_one_more_metric_completes_the_record(run):
    path, record = run(targets=("colondb",), **UNTRAINED).records[0]
    assert "pixel_aupro@0.05" not in record.classes["colon"]
    again, more = run(targets=("colondb",), metrics=("pixel_aupro@0.05",), **UNTRAINED).records[0]
    assert again == path
    assert 0 <= more.classes["colon"]["pixel_aupro@0.05"] <= 1
    assert {key: more.classes["colon"][key] for key in record.classes["colon"]} == record.classes["colon"]


def test_saved_maps_are_those_that_were_evaluated(run, mini):
    path, record = run(targets=("colondb",), save_maps=True, **UNTRAINED).records[0]
    folder = path.with_suffix(".maps")
    scores = pd.read_csv(folder / "scores.csv")
    assert list(scores["path"]) == list(pd.read_parquet(path.with_suffix(".parquet"))["path"])
    maps = [np.load(folder / f"{name}.npy") for name in scores["path"]]
    assert all(array.dtype == np.float32 and array.shape == (28, 28) for array in maps)
    mask_files = load_dataset("colondb", [mini]).manifest.set_index("relative")["mask"]
    masks = [resize_mask_nearest(read_mask(mask_files[name]), 28) for name in scores["path"]]
    again = metrics.pixel_auroc(np.stack(maps), np.stack(masks))
    assert again == pytest.approx(record.classes["colon"]["pixel_auroc"], abs=1e-12)


def test_a_limit_takes_the_first_of_each_label(run):
    path, record = run(limit=1, **UNTRAINED).records[0]
    assert record.counts["brain"]["normal"] == record.counts["brain"]["anomalous"] == 1
    whole = pd.read_parquet(run(**UNTRAINED).records[0][0].with_suffix(".parquet"))
    limited = pd.read_parquet(path.with_suffix(".parquet"))
    assert set(limited["path"]) == set(whole.groupby("label").first()["path"])
    assert not record.comparable


def test_training_free_methods_run_once_with_several_seeds(run):
    results = run(methods=("clip", "fbclip"), seeds=(3, 4))
    assert [record.cell["seed"] for _, record in results.records] == [0, 3, 4]
    by_seed = {record.cell["seed"]: record.classes for _, record in results.records[1:]}
    assert by_seed[3] != by_seed[4]


def test_a_truncated_image_fails_its_class_only(run, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "mvtec", other / "mvtec")
    truncated = next((other / "mvtec" / "grid" / "test" / "good").glob("*.png"))
    truncated.write_bytes(truncated.read_bytes()[:60])
    request = {"targets": ("mvtec",), "classes": ("bottle", "grid", "wood"), "data_roots": (other,), **UNTRAINED}
    results = run(**request)
    (message,) = results.failures
    assert str(truncated) in message
    assert results.failed == 1
    path, record = results.records[0]
    assert list(record.classes) == ["bottle", "wood"]
    validate(json.loads(path.read_text()))
    assert [hidden.name for hidden in path.parent.glob(".*")] == [f".{path.name}.lock"]  # no temporary file


def test_a_map_with_nan_fails_its_class_and_names_the_image(run, monkeypatch):
    from zsadbench_methods.clip.model import PlainCLIP

    scored = PlainCLIP.score

    def with_nan(self, tokens, class_names):
        scores = scored(self, tokens, class_names)
        scores.pixel[-1, 0, 0] = torch.nan
        return scores

    monkeypatch.setattr(PlainCLIP, "score", with_nan)
    results = run(methods=("clip",), targets=("colondb",), batch_size=2)
    (message,) = results.failures
    assert "anomaly map of" in message
    assert "holds NaN or infinity" in message
    assert "images" in message
    assert not results.records


def test_results_read_back_tidy(run, tmp_path):
    run(targets=("brainmri", "colondb"), **UNTRAINED)
    (tmp_path / "results" / "brainmri" / "fbclip" / "broken.json").write_text("{")
    frame = read_results(tmp_path / "results")
    assert set(frame["target"]) == {"brainmri", "colondb"}
    assert set(frame["class"]) == {"brain", "colon", "mean"}
    undefined = frame[(frame["target"] == "brainmri") & (frame["metric"] == "pixel_ap") & (frame["class"] == "brain")]
    assert undefined["value"].isna().all()
    assert set(undefined["reason"]) == {"the data set has no masks"}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_stays_near(record_of, precision):
    exact = record_of(methods=("clip",))
    half = record_of(methods=("clip",), precision=precision)
    assert half["cell"]["precision"] == precision
    assert half["classes"]["brain"]["image_auroc"] == pytest.approx(exact["classes"]["brain"]["image_auroc"], abs=0.3)


def test_a_protocol_decides_how_masks_and_images_are_read(record_of):
    strict = record_of(targets=("mvtec",), classes=("bottle",), **UNTRAINED)
    paper = record_of(targets=("mvtec",), classes=("bottle",), protocol="paper:fbclip", **UNTRAINED)
    native = record_of(targets=("mvtec",), classes=("bottle",), protocol="strict-native", **UNTRAINED)
    regions = [record["counts"]["bottle"]["regions_native"] for record in (strict, paper, native)]
    assert len(set(regions)) == 1
    assert native["counts"]["bottle"]["regions"] == regions[0]
    assert strict["classes"]["bottle"]["pixel_auroc"] != native["classes"]["bottle"]["pixel_auroc"]
    assert paper["cell"]["seed"] == 111


def test_maps_that_are_missing_are_made_class_by_class(run, request_for):
    changes = {"methods": ("clip",), "targets": ("mvtec",), "limit": 1}
    ((path, _),) = run(**changes).records
    run(**changes, classes=("bottle",), save_maps=True)
    assert len(list(path.with_suffix(".maps").rglob("*.npy"))) == 2
    assert len(make_plan(request_for(**changes, save_maps=True)).jobs[0].todo) == 14
    run(**changes, save_maps=True)
    assert len(list(path.with_suffix(".maps").rglob("*.npy"))) == 30
    assert not make_plan(request_for(**changes, save_maps=True)).jobs[0].todo


def test_a_metric_that_some_class_lacks_has_no_mean(run):
    changes = {"methods": ("clip",), "targets": ("mvtec",), "limit": 1}
    run(**changes)
    for name in ("bottle", "zipper"):  # first and last: which class comes first does not matter
        ((path, _),) = run(**changes, classes=(name,), metrics=("pixel_aupro@0.05",)).records
    content = json.loads(path.read_text())
    assert content["mean"]["pixel_aupro@0.05"] is None
    assert content["undefined"]["mean"]["pixel_aupro@0.05"].startswith("13 of 15 classes")
    assert content["mean"]["pixel_aupro"] is not None


def test_records_have_the_usual_file_permissions(run, tmp_path):
    ((path, _),) = run(methods=("clip",)).records
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_class_that_fails_later_keeps_its_earlier_numbers(run, mini, monkeypatch):
    """With another metric every class is evaluated again; one fails, and its numbers stay."""
    request = {"targets": ("mvtec",), "classes": ("bottle", "grid"), **UNTRAINED}
    path, before = run(**request).records[0]
    result = ClassMeasurement.result

    def failing(self, *arguments):
        if self.rows["class"].iloc[0] == "bottle":
            raise CellError("a map of bottle holds NaN")
        return result(self, *arguments)

    monkeypatch.setattr(ClassMeasurement, "result", failing)
    results = run(**request, metrics=("pixel_aupro@0.05",))
    assert results.failed == 1
    after = json.loads(path.read_text())
    assert after["classes"]["bottle"] == before.classes["bottle"]
    assert "pixel_aupro@0.05" in after["classes"]["grid"]
    assert set(pd.read_parquet(path.with_suffix(".parquet"))["class"]) == {"bottle", "grid"}


def test_a_record_that_could_not_be_written_leaves_the_older_one(run, monkeypatch):
    request = {"targets": ("mvtec",), "classes": ("bottle", "grid"), **UNTRAINED}
    path, before = run(**request).records[0]
    write_record = writer.write_record
    calls = []

    def full_at_first(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        write_record(*arguments)

    monkeypatch.setattr(writer, "write_record", full_at_first)
    assert run(**request, metrics=("pixel_aupro@0.05",)).failed == 1
    after = json.loads(path.read_text())["classes"]
    assert after["bottle"] == before.classes["bottle"]
    assert "pixel_aupro@0.05" in after["grid"]
