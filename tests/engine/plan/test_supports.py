"""Few-shot supports: chosen by seed and class, nested, named in the cell, and remembered class by class."""

import json
import shutil

import pandas as pd
import pytest
import torch
from blake3 import blake3

from zsadbench.clip.towers import VisionTower
from zsadbench.data import load_dataset
from zsadbench.engine.plan.cell import signature
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.supports import choose_supports
from zsadbench.engine.record import job as job_module
from zsadbench.engine.run import run_plan
from zsadbench.errors import DataError, UsageError
from zsadbench.records import tidy

CLASSES = ("bottle", "cable")


@pytest.fixture
def few(request_for):
    """`few(**changes)`: AF-CLIP, untrained, on two classes of MVTec AD with one shot."""
    request = {"methods": ("afclip",), "targets": ("mvtec",), "aux": "none", "epochs": None, "classes": CLASSES}
    return lambda **changes: request_for(**{**request, "shots": (1,), **changes})


@pytest.fixture
def training(mini):
    """The training part of MVTec AD."""
    return load_dataset("mvtec", [mini], splits=("train",))


def paths(supports):
    """Return the relative paths of the images, by class."""
    return {name: rows["relative"].tolist() for name, rows in supports.rows.items()}


def test_supports_are_normal_training_images_of_their_class(training):
    chosen = paths(choose_supports(training, CLASSES, 2, 0))
    assert chosen.keys() == set(CLASSES)
    for name, images in chosen.items():
        assert len(set(images)) == 2
        assert all(path.startswith(f"{name}/train/good/") for path in images)


def test_fewer_shots_are_the_first_of_more(training):
    many = training.manifest.iloc[[0] * 40].reset_index(drop=True)
    many["relative"] = [f"bottle/train/good/{row:03d}.png" for row in range(40)]
    crowd = type(training)(**{**training.__dict__, "manifest": many})
    for seed in (0, 1):
        one, two, four = (paths(choose_supports(crowd, ["bottle"], shots, seed))["bottle"] for shots in (1, 2, 4))
        assert one == four[:1]
        assert two == four[:2]
    choices = {tuple(paths(choose_supports(crowd, ["bottle"], 4, seed))["bottle"]) for seed in range(5)}
    assert len(choices) == 5, "another seed chooses other images"
    assert paths(choose_supports(crowd, ["bottle"], 4, 3)) == paths(choose_supports(crowd, ["bottle"], 4, 3))


def test_the_choice_for_a_class_does_not_depend_on_other_classes(training):
    assert (
        paths(choose_supports(training, ["cable"], 1, 0))["cable"]
        == paths(choose_supports(training, CLASSES, 1, 0))["cable"]
    )


def test_the_cell_names_the_supports_of_all_classes(few, mini, training):
    (job,) = make_plan(few()).jobs
    assert job.cell["shots"] == 1
    named = job.cell["supports"]
    assert [image["class"] for image in named] == list(training.classes)
    for image in named:
        file = mini / "mvtec" / image["path"]
        assert file.stat().st_size == image["bytes"]
        assert blake3(file.read_bytes()).hexdigest() == image["blake3"]
    (other,) = make_plan(few(classes=())).jobs
    assert other.path == job.path
    assert "|shots:1|" in signature(job.cell, "random")


def test_zero_shots_are_the_zero_shot_record(few):
    (zero,) = make_plan(few(shots=(0,))).jobs
    (plain,) = make_plan(few(shots=(0,), support_seeds=(0, 1, 2))).jobs
    assert (zero.cell["shots"], zero.cell["supports"], zero.supports) == (0, None, None)
    assert zero.path == plain.path


def test_several_shots_and_seeds_are_one_record_each(few):
    jobs = make_plan(few(shots=(0, 1, 2), support_seeds=(0, 4))).jobs
    assert [(job.cell["shots"], job.supports.seed if job.supports else None) for job in jobs] == [
        *((0, None), (1, 0), (1, 4), (2, 0), (2, 4))
    ]
    two = [{image["path"] for image in job.cell["supports"]} for job in jobs[-2:]]
    assert two[0] == two[1], "there are only two images per class"


def test_the_memory_is_fitted_for_each_class(few, monkeypatch):
    fitted = []
    original = job_module.fit_memory

    def recording(method, supports, setup, rows, files):
        original(method, supports, setup, rows, files)
        fitted.append((rows["class"].unique().tolist(), method._banks[6, 1].clone()))

    monkeypatch.setattr(job_module, "fit_memory", recording)
    results = run_plan(make_plan(few(shots=(0, 2))))
    assert not results.failures
    assert [names for names, _ in fitted] == [["bottle"], ["cable"]]
    assert fitted[0][1].shape == (2 * 4, 64), "two images of 2 × 2 patches"
    assert not torch.equal(fitted[0][1], fitted[1][1])
    (_, zero), (_, two) = results.records
    frame = tidy(results.records)
    assert sorted(frame["shots"].unique()) == [0, 2]
    assert zero.classes != two.classes


def test_a_support_is_encoded_once_for_all_jobs(few, monkeypatch, tmp_path):
    request = {"shots": (0, 1, 2), "support_seeds": (0, 1, 2), "classes": ("bottle",)}
    encoded, forward = [], VisionTower.forward
    monkeypatch.setattr(
        VisionTower, "forward", lambda *arguments: encoded.append(len(arguments[1])) or forward(*arguments)
    )
    together = run_plan(make_plan(few(**request)))
    assert encoded == [1, 1, 4], "two supports for all jobs, and the four images of the class"
    for path, record in together.records:
        shots, seed = record.cell["shots"], record.provenance.get("support_seed", 0)
        alone = few(**{**request, "shots": (shots,), "support_seeds": (seed,)}, out=tmp_path / f"{shots}-{seed}")
        ((other, _),) = run_plan(make_plan(alone)).records
        assert json.loads(other.read_text())["classes"] == json.loads(path.read_text())["classes"]
        scores = [pd.read_parquet(file.with_suffix(".parquet"))["score"].tolist() for file in (path, other)]
        assert scores[0] == scores[1]


def test_a_run_of_one_class_scores_as_a_run_of_both(few, tmp_path):
    run_plan(make_plan(few(shots=(2,))))
    run_plan(make_plan(few(shots=(2,), classes=("cable",), out=tmp_path / "alone")))
    whole, alone = (
        json.loads(next((tmp_path / out).rglob("*.json")).read_text())["classes"]["cable"]
        for out in ("results", "alone")
    )
    assert whole == alone


def test_every_support_seed_of_a_run_leaves_a_record(few):
    results = run_plan(make_plan(few(shots=(1,), support_seeds=(0, 1, 2, 3), classes=("bottle",))))
    assert not results.failures
    assert {record.cell["seed"] for _, record in results.records} == {0}
    assert {record.provenance["support_seed"] for _, record in results.records} <= {0, 1, 2, 3}
    assert len({json.dumps(record.cell["supports"]) for _, record in results.records}) > 1


@pytest.mark.parametrize("target", ["brainmri", "colondb"])
def test_a_target_without_normal_training_images_is_refused(few, target):
    with pytest.raises(DataError, match="--shots draws from the normal training images of a target"):
        make_plan(few(targets=(target,), classes=()))


def test_supports_may_be_test_images_where_leaks_are_allowed_and_the_ledger_says_so(few, mini, tmp_path, caplog):
    copy = tmp_path / "data"
    shutil.copytree(mini / "mvtec", copy / "mvtec", ignore=shutil.ignore_patterns("train"))
    request = {"data_roots": (copy,), "allow_partial": True, "allow_leak": True}
    with pytest.raises(DataError, match="no train image"):
        make_plan(few(**{**request, "allow_leak": False}))
    plan = make_plan(few(**request))
    assert "mvtec has no training images here, so --shots draws from its normal test images: a leak" in caplog.text
    ((_, record),) = run_plan(plan).records
    assert all("/test/good/" in one["path"] for one in record.cell["supports"])
    assert record.ledger["grade"] == "same-images"
    assert record.ledger["leak"]
    assert record.ledger["supports"]["support_images"] == len(record.cell["supports"])


def test_an_incomplete_training_part_is_used_before_test_images(few, mini, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(mini / "mvtec", copy / "mvtec")
    sorted((copy / "mvtec" / "bottle" / "train" / "good").iterdir())[0].unlink()
    with pytest.raises(DataError, match="bottle: 1 of 2 normal"):
        make_plan(few(data_roots=(copy,), allow_leak=True))


def test_more_shots_than_images_are_refused(few):
    with pytest.raises(DataError, match="mvtec: bottle has 2 normal training images, --shots 3 needs more"):
        make_plan(few(shots=(3,)))


def test_an_incomplete_training_part_is_refused_or_recorded(few, mini, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(mini / "mvtec", copy / "mvtec")
    sorted((copy / "mvtec" / "bottle" / "train" / "good").iterdir())[0].unlink()
    assert make_plan(few(shots=(0,), data_roots=(copy,))).jobs
    with pytest.raises(DataError, match="bottle: 1 of 2 normal"):
        make_plan(few(data_roots=(copy,)))
    (job,) = make_plan(few(data_roots=(copy,), allow_partial=True)).jobs
    assert job.cell["partial"] is True


def test_methods_without_a_few_shot_form_are_refused(few):
    with pytest.raises(UsageError, match="--shots: no few-shot form of anomalyclip, clip is known"):
        make_plan(few(methods=("afclip", "anomalyclip", "clip")))


def test_a_support_that_cannot_be_read_fails_its_class_alone(few, mini, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(mini / "mvtec", copy / "mvtec")
    for broken in (copy / "mvtec" / "bottle" / "train" / "good").iterdir():
        broken.write_bytes(b"no image")
    results = run_plan(make_plan(few(data_roots=(copy,))))
    assert len(results.failures) == 1
    assert "bottle" in results.failures[0]
    ((_, record),) = results.records
    assert record.classes.keys() == {"cable"}
