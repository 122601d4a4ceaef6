"""Batches are counted in a background thread: in order, bounded, with every failure raised, and the same results."""

import json
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from zsadbench.engine.evaluate.classes import evaluate_class
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.machine.background import BackgroundWorker
from zsadbench.engine.machine.timing import Span, Stopwatch
from zsadbench.engine.machine.to_host import to_host
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.engine.units import worker as worker_module

CUDA = SimpleNamespace(type="cuda")


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_calls_are_done_in_order_and_all_of_them(ahead):
    done = []
    with BackgroundWorker(ahead) as worker:
        for number in range(20):
            worker.put(partial(done.append, number))
    assert done == list(range(20))


def test_calls_run_in_a_background_thread_or_in_the_caller():
    names = []
    with BackgroundWorker(1) as worker:
        worker.put(lambda: names.append(threading.current_thread().name))
    with BackgroundWorker(0) as worker:
        worker.put(lambda: names.append(threading.current_thread().name))
    assert names[0].startswith("zsadbench-count")
    assert names[1] == threading.current_thread().name


def test_no_more_than_so_many_calls_are_pending():
    gate, done = threading.Event(), []

    def slow():
        gate.wait()
        done.append(1)

    with BackgroundWorker(2) as worker:
        worker.put(slow)
        worker.put(slow)
        third = threading.Thread(target=worker.put, args=(slow,))
        third.start()
        third.join(0.2)
        assert third.is_alive(), "the third has to wait for the first"
        gate.set()
        third.join()
    assert len(done) == 3


def fail():
    raise ValueError("no")


def put_all(ahead, calls, failure=None):
    """Put these calls, then raise `failure`."""
    with BackgroundWorker(ahead) as worker:
        for call in calls:
            worker.put(call)
        if failure is not None:
            raise failure


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_failure_is_raised_and_later_calls_are_dropped(ahead):
    done = []
    with pytest.raises(ValueError, match="no"):
        put_all(ahead, [fail, *(partial(done.append, number) for number in range(5))])
    assert len(done) < 5


def test_a_failure_of_the_caller_takes_precedence():
    with pytest.raises(KeyError):
        put_all(2, [fail], KeyError("first"))


# --- whole runs ------------------------------------------------------------------------------------


@pytest.fixture
def run(request_for, tmp_path, monkeypatch):
    """`run(ahead, **changes)`: a run in which `ahead` batches per head may wait; one folder of records per `ahead`."""

    def run_with(ahead, **changes):
        monkeypatch.setattr(worker_module, "evaluate_class", partial(evaluate_class, ahead=ahead))
        request = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid")}
        request |= {"batch_size": 1}
        return run_plan(make_plan(request_for(**{**request, "out": tmp_path / str(ahead), **changes})))

    return run_with


def test_records_are_the_same_with_a_background_thread(run):
    runs = []
    for ahead in (0, 2):
        results = run(ahead, save_maps=True)
        assert not results.failures
        ((path, record),) = results.records
        details = [file.read_bytes() for file in sorted(path.parent.glob("*.details.json.gz"))]
        maps = [file.read_bytes() for file in sorted(path.with_suffix(".maps").rglob("*.npy"))]
        images = pd.read_parquet(path.with_suffix(".parquet")).drop(columns="seconds")
        runs.append((json.dumps([record.classes, record.counts]), details, maps, images))
        assert all(record.cost["seconds"][stage] > 0 for stage in ("load", "tower", "head", "map", "metrics"))
    assert runs[0][:3] == runs[1][:3]
    assert len(runs[0][2]) > 4
    pd.testing.assert_frame_equal(runs[0][3], runs[1][3])


def test_a_head_that_fails_while_it_counts_leaves_the_others(run, monkeypatch):
    update = ClassMeasurement.update
    measurements = []

    def failing(self, *arguments, **parts):
        if self not in measurements:
            measurements.append(self)
        if measurements.index(self) % 2 == 0:  # the first of the two heads of each class
            raise OSError("the disk is full")
        update(self, *arguments, **parts)

    monkeypatch.setattr(ClassMeasurement, "update", failing)
    results = run(2, methods=("clip", "fbclip"))
    assert [line for line in results.failures if "the disk is full" in line]
    assert all(line.startswith("clip") for line in results.failures)
    assert [path.parent.name for path, _ in results.records] == ["fbclip"]


def test_a_bug_in_counting_is_raised(run, monkeypatch):
    def broken(self, *arguments, **parts):
        raise TypeError("a bug")

    monkeypatch.setattr(ClassMeasurement, "update", broken)
    with pytest.raises(TypeError, match="a bug"):
        run(2)


# --- clocks and copies of an asynchronous device -----------------------------------------------------


class Event:
    """A CUDA event whose time is `clock` in seconds; `waited` counts calls that wait for one."""

    clock = 0.0
    waited = 0

    def __init__(self, enable_timing=False):
        self.timed = enable_timing

    def record(self, stream):
        self.at = Event.clock

    def synchronize(self):
        Event.waited += 1

    def elapsed_time(self, other):
        assert self.timed
        assert other.timed
        return 1000 * (other.at - self.at)


@pytest.fixture
def device(monkeypatch):
    """A stand-in for a CUDA device."""
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(Event, "waited", 0)
    return CUDA


def test_a_stage_on_the_device_is_timed_by_its_clock_without_waiting(device, monkeypatch):
    watch = Stopwatch(device)
    for start, stop in ((1.0, 3.5), (4.0, 4.5)):
        monkeypatch.setattr(Event, "clock", start)
        with watch.stage("tower") as span:
            monkeypatch.setattr(Event, "clock", stop)
    assert Event.waited == 0
    assert span.seconds == 0.5
    assert watch.seconds["tower"] == 3.0
    assert watch.seconds["head"] == 0.0
    assert Event.waited > 0


def test_a_stage_on_the_host_is_timed_by_the_host(device):
    watch = Stopwatch(device)
    with watch.stage("metrics"):
        sum(range(1000))
    assert 0 < watch.seconds["metrics"] < 1
    assert Event.waited == 0


def test_a_span_of_the_host_ends_when_it_is_stopped():
    span = Span(None)
    span.stop()
    first = span.seconds
    assert span.seconds == first >= 0


def test_a_tensor_on_the_host_is_not_waited_for():
    tensor = torch.arange(6.0).view(2, 3)
    assert np.array_equal(to_host(tensor)(), tensor.numpy())


def test_only_the_caller_waits_for_a_copy_from_the_device(device, monkeypatch):
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, pin_memory: torch.zeros(shape, dtype=dtype))
    values = torch.arange(6.0)
    on_device = SimpleNamespace(device=device, shape=values.shape, dtype=values.dtype)
    monkeypatch.setattr(torch.Tensor, "copy_", lambda self, source, non_blocking: self.add_(values))
    pending = to_host(on_device)
    assert Event.waited == 0
    assert np.array_equal(pending(), values.numpy())
    assert Event.waited == 1
