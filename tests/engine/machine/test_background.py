"""Counting one batch while the next is scored: in order, bounded, no failure lost, and the same results."""

import json
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from zsadbench.engine import run as run_module
from zsadbench.engine.evaluate.classes import evaluate_class
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.machine.background import BackgroundWorker
from zsadbench.engine.machine.timing import Span, Stopwatch
from zsadbench.engine.machine.to_host import to_host
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan

CUDA = SimpleNamespace(type="cuda")


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_calls_are_done_in_order_and_all_of_them(ahead):
    done = []
    with BackgroundWorker(ahead) as behind:
        for number in range(20):
            behind.put(partial(done.append, number))
    assert done == list(range(20))


def test_a_thread_of_its_own_does_them():
    names = []
    with BackgroundWorker(1) as behind:
        behind.put(lambda: names.append(threading.current_thread().name))
    with BackgroundWorker(0) as behind:
        behind.put(lambda: names.append(threading.current_thread().name))
    assert names[0].startswith("zsadbench-count")
    assert names[1] == threading.current_thread().name


def test_no_more_than_so_many_wait():
    gate, done = threading.Event(), []

    def slow():
        gate.wait()
        done.append(1)

    with BackgroundWorker(2) as behind:
        behind.put(slow)
        behind.put(slow)
        third = threading.Thread(target=behind.put, args=(slow,))
        third.start()
        third.join(0.2)
        assert third.is_alive(), "the third has to wait for the first"
        gate.set()
        third.join()
    assert len(done) == 3


def fail():
    raise ValueError("no")


def put_all(ahead, calls, failure=None):
    with BackgroundWorker(ahead) as behind:
        for call in calls:
            behind.put(call)
        if failure is not None:
            raise failure


@pytest.mark.parametrize("ahead", [0, 2])
def test_what_fails_is_raised_and_the_rest_dropped(ahead):
    done = []
    with pytest.raises(ValueError, match="no"):
        put_all(ahead, [fail, *(partial(done.append, number) for number in range(5))])
    assert len(done) < 5


def test_a_failure_of_the_caller_is_the_one_that_is_raised():
    with pytest.raises(KeyError):
        put_all(2, [fail], KeyError("first"))


# --- whole runs ------------------------------------------------------------------------------------


@pytest.fixture
def run(request_for, tmp_path, monkeypatch):
    """`run(ahead, **changes)`: a run whose counting goes on behind; the records are in a folder of its own."""

    def go(ahead, **changes):
        monkeypatch.setattr(run_module, "evaluate_class", partial(evaluate_class, ahead=ahead))
        asked = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid"), "batch_size": 1}
        return run_plan(make_plan(request_for(**{**asked, "out": tmp_path / str(ahead), **changes})))

    return go


def test_records_are_the_same_with_counting_behind(run):
    kept = []
    for ahead in (0, 2):
        results = run(ahead, save_maps=True)
        assert not results.failures
        ((path, record),) = results.records
        details = [one.read_bytes() for one in sorted(path.parent.glob("*.details.json.gz"))]
        maps = [one.read_bytes() for one in sorted(path.with_suffix(".maps").rglob("*.npy"))]
        images = pd.read_parquet(path.with_suffix(".parquet")).drop(columns="seconds")
        kept.append((json.dumps([record.classes, record.counts]), details, maps, images))
        assert all(record.cost["seconds"][stage] > 0 for stage in ("load", "tower", "head", "map", "metrics"))
    assert kept[0][:3] == kept[1][:3]
    assert len(kept[0][2]) > 4
    pd.testing.assert_frame_equal(kept[0][3], kept[1][3])


def test_a_head_that_fails_while_it_counts_leaves_the_others(run, monkeypatch):
    update = ClassMeasurement.update

    measurements = []

    def failing(self, *arguments):
        if self not in measurements:
            measurements.append(self)
        if measurements.index(self) % 2 == 0:  # the first of the two heads of each class
            raise OSError("the disk is full")
        update(self, *arguments)

    monkeypatch.setattr(ClassMeasurement, "update", failing)
    results = run(2, methods=("clip", "fbclip"))
    assert [line for line in results.failures if "the disk is full" in line]
    assert all(line.startswith("clip") for line in results.failures)
    assert [path.parent.name for path, _ in results.records] == ["fbclip"]


def test_a_bug_in_counting_is_raised(run, monkeypatch):
    def broken(self, *arguments):
        raise TypeError("a bug")

    monkeypatch.setattr(ClassMeasurement, "update", broken)
    with pytest.raises(TypeError, match="a bug"):
        run(2)


# --- clocks and copies of a device that works on while the host goes ahead --------------------------


class Mark:
    """Stands in for an event: its time is when the device comes to it, `clock` seconds."""

    clock = 0.0
    waited = 0

    def __init__(self, enable_timing=False):
        self.timed = enable_timing

    def record(self, stream):
        self.at = Mark.clock

    def synchronize(self):
        Mark.waited += 1

    def elapsed_time(self, other):
        assert self.timed
        assert other.timed
        return 1000 * (other.at - self.at)


@pytest.fixture
def device(monkeypatch):
    """Something that passes for a CUDA device."""
    monkeypatch.setattr(torch.cuda, "Event", Mark)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(Mark, "waited", 0)
    return CUDA


def test_a_stage_on_the_device_is_timed_by_its_clock_and_nobody_waits_meanwhile(device, monkeypatch):
    watch = Stopwatch(device)
    for start, stop in ((1.0, 3.5), (4.0, 4.5)):
        monkeypatch.setattr(Mark, "clock", start)
        with watch.stage("tower") as span:
            monkeypatch.setattr(Mark, "clock", stop)
    assert Mark.waited == 0
    assert span.seconds == 0.5
    assert watch.seconds["tower"] == 3.0
    assert watch.seconds["head"] == 0.0
    assert Mark.waited > 0


def test_a_stage_on_the_host_is_timed_by_the_host(device):
    watch = Stopwatch(device)
    with watch.stage("metrics"):
        sum(range(1000))
    assert 0 < watch.seconds["metrics"] < 1
    assert Mark.waited == 0


def test_a_span_of_the_host_ends_when_it_is_stopped():
    span = Span(None)
    span.stop()
    first = span.seconds
    assert span.seconds == first >= 0


def test_what_is_on_the_host_arrives_at_once():
    tensor = torch.arange(6.0).view(2, 3)
    assert np.array_equal(to_host(tensor)(), tensor.numpy())


def test_what_comes_from_the_device_is_waited_for_by_who_asks(device, monkeypatch):
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, pin_memory: torch.zeros(shape, dtype=dtype))
    values = torch.arange(6.0)
    far = SimpleNamespace(device=device, shape=values.shape, dtype=values.dtype)
    monkeypatch.setattr(torch.Tensor, "copy_", lambda self, source, non_blocking: self.add_(values))
    arrival = to_host(far)
    assert Mark.waited == 0
    assert np.array_equal(arrival(), values.numpy())
    assert Mark.waited == 1
