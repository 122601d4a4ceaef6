"""Runs in shards: records are those of whole classes, and a run that was interrupted goes on at the next shard."""

import time

import pytest
import torch

from zsadbench.engine import run as running
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.executors.local import LocalExecutor
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.engine.units.shard_files import ShardFiles
from zsadbench.engine.units.unit import Prepare, Score
from zsadbench.engine.units.worker import Worker

BATCHES = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid"), "batch_size": 1}
IMAGES = 4  # of a class


class Counter:
    """A reporter that counts images and interrupts the run at one of them."""

    def __init__(self, interrupt=None):
        self.scored, self.interrupt, self.begun, self.kept_images = 0, interrupt, [], 0

    def images(self, count):
        self.scored += count
        if self.scored == self.interrupt:
            raise KeyboardInterrupt

    def evaluating(self, job, class_name, total):
        self.begun.append((class_name, total))

    def kept(self, job, class_name, count):
        self.kept_images += count

    def __getattr__(self, name):
        return lambda *_: None


def shards_in(folder):
    return sorted(path.name.rpartition(".npz")[0].rpartition(".")[2] for path in folder.rglob("*.shards/*"))


def test_records_are_those_of_whole_classes(request_for, tmp_path, contents_of):
    for name, shard in (("whole", None), ("shards", 2), ("uneven", 3)):
        request = request_for(**BATCHES, methods=("clip", "fbclip"), out=tmp_path / name, shard=shard, save_maps=True)
        counter = Counter()
        assert not run_plan(make_plan(request), counter).failures
        assert counter.scored == 2 * IMAGES
        assert counter.kept_images == (0 if shard is None else 4 * IMAGES)
    whole = contents_of(tmp_path / "whole")
    assert len([name for name in whole if name.endswith(".npy")]) == 4 * IMAGES
    assert contents_of(tmp_path / "shards") == whole
    assert contents_of(tmp_path / "uneven") == whole


def test_an_interrupted_run_goes_on_at_the_next_shard(request_for, tmp_path, contents_of):
    run_plan(make_plan(request_for(**BATCHES, out=tmp_path / "whole")))
    request = request_for(**BATCHES, out=tmp_path / "shards", shard=2)
    with pytest.raises(KeyboardInterrupt):
        run_plan(make_plan(request), Counter(interrupt=7))  # in the last shard of the second class
    assert shards_in(tmp_path) == ["0-2"]
    again = Counter()
    assert not run_plan(make_plan(request), again).failures
    assert (again.scored, again.begun) == (2, [("grid", 2)])
    assert contents_of(tmp_path / "shards") == contents_of(tmp_path / "whole")
    assert not list(tmp_path.rglob("*.shards"))


@pytest.mark.parametrize("damage", ["torn", "flipped", "other batch size", "another run"])
def test_a_shard_that_is_damaged_or_foreign_is_scored_again(request_for, tmp_path, contents_of, damage):
    request = request_for(**BATCHES, out=tmp_path / "shards", shard=2)
    with pytest.raises(KeyboardInterrupt):
        run_plan(make_plan(request), Counter(interrupt=4))
    (path,) = tmp_path.rglob("*.shards/*.npz")
    content = path.read_bytes()
    if damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = content.index(b"metrics/pixel_normal.npy") + 400  # inside of the scores
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "other batch size":
        request = request_for(**{**BATCHES, "batch_size": 2}, out=tmp_path / "shards", shard=2)
    else:
        request = request_for(**BATCHES, out=tmp_path / "shards", shard=2, metrics=("pixel_aupro@0.05",))
    again = Counter()
    assert not run_plan(make_plan(request), again).failures
    assert again.scored == 2 * IMAGES
    assert not list(tmp_path.rglob("*.shards"))


def test_records_that_are_replaced_use_no_earlier_shard(request_for, tmp_path):
    request = request_for(**BATCHES, shard=2)
    with pytest.raises(KeyboardInterrupt):
        run_plan(make_plan(request), Counter(interrupt=4))
    again = Counter()
    run_plan(make_plan(request_for(**BATCHES, shard=2, overwrite="always")), again)
    assert again.scored == 2 * IMAGES


def test_a_shard_size_is_rounded_up_to_whole_batches(request_for, caplog):
    request = request_for(**{**BATCHES, "batch_size": 2}, shard=3)
    counter = Counter()
    assert not run_plan(make_plan(request), counter).failures
    assert counter.kept_images == 0  # each class is one shard
    assert [line for line in caplog.messages if line.startswith("--shard")] == [
        "--shard 3 is rounded up to 4, whole batches of 2 images"
    ]


def test_a_finishing_step_sees_the_whole_class(request_for, tmp_path, contents_of):
    published = {"methods": ("aaclip",), "protocol": "paper:aaclip"}
    for name, shard in (("whole", None), ("shards", 2)):
        plan = make_plan(request_for(**BATCHES, **published, out=tmp_path / name, shard=shard))
        assert plan.jobs[0].cell["transductive"]
        assert not run_plan(plan).failures
    assert contents_of(tmp_path / "shards") == contents_of(tmp_path / "whole")


def test_shards_may_come_as_bytes_from_elsewhere(request_for, tmp_path, contents_of, monkeypatch):
    run_plan(make_plan(request_for(**BATCHES, out=tmp_path / "here")))
    elsewhere = make_plan(request_for(**BATCHES, out=tmp_path / "elsewhere", shard=2))

    def make_executor(plan, report):
        return LocalExecutor(Worker(plan, torch.device("cpu"), report, "bytes"))

    monkeypatch.setattr(running, "make_executor", make_executor)
    assert not run_plan(elsewhere).failures
    assert contents_of(tmp_path / "elsewhere") == contents_of(tmp_path / "here")


@pytest.mark.parametrize(("most", "scored"), [(1, IMAGES + 2), (9, IMAGES + 4)])
def test_a_shard_that_gets_lost_is_scored_again_once(request_for, monkeypatch, most, scored):
    read, lost = ShardFiles.read, []

    def lose(self, span):
        if len(lost) < most:
            lost.append(span)
            return None
        return read(self, span)

    monkeypatch.setattr(ShardFiles, "read", lose)
    counter = Counter()
    failures = run_plan(make_plan(request_for(**{**BATCHES, "classes": ("grid",)}, shard=2)), counter).failures
    assert counter.scored == scored
    assert ["get lost" in line for line in failures] == ([True] if most > 1 else [])


def test_a_worker_with_other_data_or_code_refuses_a_unit(request_for):
    worker = Worker(make_plan(request_for(**BATCHES)), torch.device("cpu"), lambda event: None, "files")
    prepared = worker.run(Prepare("another", ("another",)))
    (scored,) = worker.run(Score(("another",), ("another",), "grid", 0, 2, 4, 1)).shards
    for failure in (prepared.failure, scored.failure):
        assert "are not those of the process that drives the run" in str(failure)


def test_a_method_that_hangs_costs_its_classes(request_for, monkeypatch):
    """The limit is generous for what this machine does, and short for the method, which never returns."""
    monkeypatch.setattr(Scorer, "score", lambda *_: time.sleep(600))
    start = time.monotonic()
    results = run_plan(make_plan(request_for(**BATCHES, methods=("clip",), unit_timeout=5)))
    assert time.monotonic() - start < 300
    assert len(results.failures) == 2
    assert all("it took longer than --unit-timeout 5 s" in line for line in results.failures)
