"""Any number of processes may add classes to one record: none is lost, and one that is killed blocks nobody."""

import json
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from zsadbench.data import synthesise
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.run import run_plan
from zsadbench.files import locked
from zsadbench.records import read_record
from zsadbench.records.sidecars import read_details, read_regions, read_spread

CLASSES = ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut")

ADD = """
import sys, time
from pathlib import Path
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.run import run_plan
root, out, backbone, classes, start = sys.argv[1:]
request = RunRequest(("colour-distance",), ("mvtec",), backbone=backbone, weights="random", workers=0,
                     classes=tuple(classes.split(",")), data_roots=(Path(root),), out=Path(out))
plan = make_plan(request)
print("ready", flush=True)
time.sleep(max(0.0, float(start) - time.time()))
sys.exit(bool(run_plan(plan).failures))
"""


@pytest.fixture(scope="session")
def mvtec(tmp_path_factory):
    """A data root with a miniature of MVTec AD: fifteen classes."""
    root = tmp_path_factory.mktemp("mvtec")
    synthesise("mvtec", root, 1)
    return root


@pytest.fixture
def add(mvtec, small, tmp_path):
    """`add(*groups)` starts one process per group of classes, all on one record; returns the processes."""

    def start(*groups):
        begin = str(time.time() + 1.0)
        command = [sys.executable, "-c", ADD, str(mvtec), str(tmp_path / "results"), str(small)]
        for group in groups:
            process = subprocess.Popen([*command, ",".join(group), begin], stdout=subprocess.PIPE, text=True)
            running.append(process)
        return running[-len(groups) :]

    running = []
    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def record_of(folder):
    (path,) = folder.glob("results/mvtec/colour-distance/*.json")
    return path, read_record(path)


def check_whole(path, record, classes):
    """Every class is in the record, its images, its counts of cost and its sidecars."""
    assert set(record.classes) == set(record.counts) == set(classes)
    assert set(record.cost["by_class"]) == set(record.cost["images"]) == set(classes)
    images = pd.read_parquet(path.with_suffix(".parquet"))
    assert set(images["class"]) == set(classes)
    assert not images.duplicated("path").any()
    assert set(read_details(path)["classes"]) == set(read_spread(path)) == set(classes)
    assert set(read_regions(path)["class"]) == set(classes)


@pytest.mark.parametrize(
    "processes", [2, pytest.param(4, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)]
)
def test_no_class_is_lost(add, tmp_path, processes):
    running = add(*(CLASSES[number::processes] for number in range(processes)))
    assert [process.wait(240) for process in running] == [0] * processes
    check_whole(*record_of(tmp_path), CLASSES)


@pytest.mark.slow
def test_killed_processes_block_nobody_and_the_record_stays_whole(add, tmp_path):
    running = add(*(CLASSES[number::4] for number in range(4)))
    for process in running:
        process.stdout.readline()
    chance = random.Random(0)
    for process in running[:2]:
        time.sleep(chance.uniform(0.5, 2.0))
        process.send_signal(signal.SIGKILL)
    assert [process.wait(240) for process in running[2:]] == [0, 0]
    _, record = record_of(tmp_path)
    assert set(record.classes) >= {*CLASSES[2::4], *CLASSES[3::4]}
    again = add(CLASSES)
    assert [process.wait(240) for process in again] == [0]
    check_whole(*record_of(tmp_path), CLASSES)


def request(mvtec, small, tmp_path, *classes, **changes):
    settled = {"backbone": str(small), "weights": "random", "workers": 0, "data_roots": (mvtec,), **changes}
    return RunRequest(("colour-distance",), ("mvtec",), classes=classes, out=tmp_path / "results", **settled)


def test_a_plan_made_before_another_process_wrote_keeps_its_classes(mvtec, small, tmp_path):
    """The plan of the first run knows no record; when it writes, there is one."""
    late = make_plan(request(mvtec, small, tmp_path, "bottle", "cable"))
    assert not run_plan(make_plan(request(mvtec, small, tmp_path, "carpet"))).failures
    stale = make_plan(request(mvtec, small, tmp_path, "grid"))  # it knows carpet alone
    assert not run_plan(late).failures
    assert not run_plan(stale).failures
    check_whole(*record_of(tmp_path), ("bottle", "cable", "carpet", "grid"))


def test_overwriting_still_replaces_what_was_there(mvtec, small, tmp_path):
    assert not run_plan(make_plan(request(mvtec, small, tmp_path, "bottle", "cable"))).failures
    assert not run_plan(make_plan(request(mvtec, small, tmp_path, "grid", overwrite="always"))).failures
    check_whole(*record_of(tmp_path), ("grid",))


def test_a_record_that_became_unreadable_is_not_replaced(mvtec, small, tmp_path):
    plan = make_plan(request(mvtec, small, tmp_path, "bottle"))
    path = plan.jobs[0].path
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    results = run_plan(plan)
    assert "is no record of schema 1; nothing is added to it" in results.failures[0]
    assert json.loads(path.read_text()) == {}


HOLD = """
import sys, time
from pathlib import Path
from zsadbench.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_of_a_process_that_died_is_free(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "x")], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.kill()
    with locked(tmp_path / "x"):
        pass
