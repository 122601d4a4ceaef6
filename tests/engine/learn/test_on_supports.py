"""Methods that learn from the support images of each class: keys, cache, plan, resume, failures, ledger."""

import pytest
import torch

from zsadbench.checkpoints import read_archive, read_metadata
from zsadbench.engine import estimate
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn import detector as learning
from zsadbench.engine.learn import loop
from zsadbench.engine.plan.class_trainings import class_trainings
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.engine.train import train_all
from zsadbench.errors import CellError, UsageError
from zsadbench.records import read_record

CLASSES = ("bottle", "cable")


@pytest.fixture
def request_of(request_for, tmp_path, monkeypatch):
    """`request_of(**changes)`: PromptAD on two classes of a miniature, with two steps per training."""
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "cache"))

    def make(**changes):
        settled = {"methods": ("promptad",), "targets": ("mvtec",), "classes": CLASSES, "shots": (1,), "epochs": 2}
        return request_for(**{**settled, "aux": None, **changes})

    return make


@pytest.fixture
def stages(monkeypatch):
    """(stage, images, steps) of every training."""
    seen = []

    def fit(method, tokens, batches, *more):
        losses = list(loop.fit(method, tokens, batches, *more))
        seen.append((method.stage, tuple(batches.aux.classes), len(losses)))
        return losses

    monkeypatch.setattr(learning, "fit", fit)
    return seen


def test_every_class_is_trained_from_the_same_values_and_cached(request_of, stages):
    plan = make_plan(request_of())
    (job,) = plan.jobs
    assert job.aux is None
    assert job.cell["aux"] is None
    assert job.cell["recipe"]["epochs"] == job.cell["recipe"]["before"]["epochs"] == 2
    listed = class_trainings(job, job.todo)
    assert [(one.class_name, one.stage, one.steps) for one in listed] == [
        *(("bottle", "cls", 2), ("bottle", "seg", 2), ("cable", "cls", 2), ("cable", "seg", 2)),
    ]
    assert len({one.checkpoint for one in listed}) == 4
    assert not any(one.done for one in listed)
    results = run_plan(plan)
    assert results.failures == []
    assert stages == [(s, (c,), 2) for c in CLASSES for s in ("cls", "seg")]
    assert all(one.done for one in listed)
    start = learning.make_method(job.setup, build_towers(job.setup, torch.device("cpu")), 0).network.state_dict()
    for cls, seg in (listed[:2], listed[2:]):
        before, after = read_archive(cls.checkpoint), read_archive(seg.checkpoint)
        for name, tensor in start.items():
            first = name.startswith("cls")
            assert torch.equal(before[name], tensor) != first, "the first training moves its own part alone"
            assert torch.equal(after[name], before[name]) == first
        learned = read_metadata(seg.checkpoint)[1]["learned_supports"]
        assert (learned["name"], learned["class"], learned["counts"]) == (
            *("mvtec", seg.class_name, {"normal": 1, "anomalous": 0}),
        )


def test_a_record_is_made_and_resumed_from_cached_trainings(request_of, stages):
    (first,) = run_plan(make_plan(request_of(classes=CLASSES[:1]))).records
    record = first[1]
    assert record.ledger["aux"] is None
    assert record.ledger["epoch_choice"] == "fixed"
    assert record.ledger["images_not_compared_because"] == "the support images are all that was learned from"
    assert record.ledger["supports"]["compared"]["supports"] >= 2
    assert "aux:supports" in record.signature
    assert not any("initial values" in why for why in record.not_comparable_because)
    assert record.cost["seconds_training"] > 0
    path, record = run_plan(make_plan(request_of())).records[0]
    assert path == first[0]
    assert len(stages) == 4, "the class of before is not trained again"
    assert record.provenance["checkpoints"].keys() == set(CLASSES)
    numbers, seconds = record.classes, record.cost["seconds_training"]
    path.unlink()
    ((_, again),) = run_plan(make_plan(request_of())).records
    assert len(stages) == 4, "nothing is trained again"
    assert again.classes == numbers
    assert again.cost["seconds_training"] == 0 < seconds


def test_what_a_training_depends_on(request_of):
    def keys(**changes):
        (job,) = make_plan(request_of(**changes)).jobs
        return {one.checkpoint.stem for one in class_trainings(job, CLASSES)}

    same = keys()
    assert keys(limit=1) == keys(protocol="strict-raw") == same, "how it is evaluated does not matter"
    for changes in ({"shots": (2,)}, {"seeds": (1,)}, {"epochs": 3}, {"options": ("match_weight=1",)}):
        assert not keys(**changes) & same, changes
    assert not keys(protocol="paper:promptad", seeds=(0,)) & same, "supports are read in another way"


def test_a_training_that_fails_costs_its_class(request_of, monkeypatch):
    def fit(method, tokens, batches, *more):
        if batches.aux.classes == ("bottle",):
            raise CellError("the loss is not finite")
        return list(loop.fit(method, tokens, batches, *more))

    monkeypatch.setattr(learning, "fit", fit)
    results = run_plan(make_plan(request_of()))
    assert len(results.failures) == 1
    assert "bottle: the loss is not finite" in results.failures[0]
    ((path, _),) = results.records
    assert read_record(path).classes.keys() == {"cable"}


def test_without_training_the_initial_values_are_scored(request_of, stages):
    (job,) = make_plan(request_of(aux="none")).jobs
    assert class_trainings(job, job.todo) == []
    assert job.cell["recipe"] is None
    ((_, record),) = run_plan(make_plan(request_of(aux="none", classes=CLASSES[:1]))).records
    assert stages == []
    assert "its trained parts were left at their initial values" in record.not_comparable_because


def test_shots_are_needed(request_of):
    for shots in ((0,), (), (0, 1)):
        with pytest.raises(UsageError, match="pass --shots"):
            make_plan(request_of(shots=shots))


def test_no_auxiliary_set_is_looked_for(request_of, tmp_path, mini):
    root = tmp_path / "only"
    root.mkdir()
    (root / "mvtec").symlink_to(mini / "mvtec")
    assert make_plan(request_of(data_roots=(root,))).jobs, "visa, the set of other methods, is not here"


def test_train_makes_a_checkpoint_per_class(request_of, tmp_path, stages):
    request = request_of(aux="mvtec", allow_leak=True, shots=(1, 2))
    events = list(train_all(request, tmp_path / "out"))
    assert [(event["class"], event["shots"]) for event in events] == [(c, k) for k in (1, 2) for c in CLASSES]
    assert len({event["path"] for event in events}) == 4
    assert len(stages) == 8
    checkpoint = events[0]["path"]
    with pytest.raises(UsageError, match="of one class; choose it with --class"):
        make_plan(request_of(checkpoint=checkpoint))
    ((_, record),) = run_plan(make_plan(request_of(checkpoint=checkpoint, classes=CLASSES[:1]))).records
    ((_, trained),) = run_plan(make_plan(request_of(classes=CLASSES[:1]))).records
    assert record.classes == trained.classes
    assert record.ledger["aux"] == "supports of mvtec"
    assert record.ledger["grade"] == "unknown"


def test_the_estimate_counts_trainings_that_are_not_cached(request_of, monkeypatch):
    monkeypatch.setattr(estimate, "_seconds", lambda macs: macs)
    plan = make_plan(request_of())
    before = estimate.estimate_seconds(plan)
    longer = estimate.estimate_seconds(make_plan(request_of(epochs=4)))
    assert longer > before
    list(train_all(request_of(aux="mvtec", allow_leak=True), None))
    assert estimate.estimate_seconds(plan) < before


def test_support_images_are_encoded_once(request_of):
    (job,) = make_plan(request_of(epochs=5)).jobs
    towers = build_towers(job.setup, torch.device("cpu"))
    images = job.supports.of_class("bottle")
    made = learning.train_or_load(job.setup, towers, images, 0, workers=0)
    assert (made.encoded, made.cached) == (1, 4)
    assert job.setup.on_supports
    assert not job.setup.needs_aux
