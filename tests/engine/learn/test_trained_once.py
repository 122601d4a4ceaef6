"""Processes that need the same checkpoint at the same time train it once; one that is killed blocks nobody."""

import json
import logging
import subprocess
import sys
import threading
import time

import pytest

from zsadbench.engine.learn.keep import only_trainer
from zsadbench.engine.train import train_all
from zsadbench.files import locked

TRAIN = """
import json, sys, time
from pathlib import Path
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.train import train_all
root, out, backbone, start = sys.argv[1:]
request = RunRequest(("anomalyclip",), ("colondb",), aux="colondb", allow_leak=True, epochs=30, backbone=backbone,
                     weights="random", data_roots=(Path(root),), out=Path(out), workers=0)
print("ready", flush=True)
time.sleep(max(0.0, float(start) - time.time()))
(event,) = train_all(request, None)
print(json.dumps(event))
"""


@pytest.fixture
def train(mini, small, tmp_path):
    """`train(number)` starts as many processes that train the same checkpoint at the same time; returns them."""
    running = []

    def start(number):
        begin = str(time.time() + 3.0)
        command = [sys.executable, "-c", TRAIN, str(mini), str(tmp_path / "results"), str(small), begin]
        new = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(number)]
        running.extend(new)
        return new

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def event_of(process):
    assert process.wait(240) == 0
    return json.loads(process.stdout.read().splitlines()[-1])


@pytest.mark.parametrize(
    "processes", [2, pytest.param(4, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)]
)
def test_one_process_trains_and_the_others_load(train, processes):
    events = [event_of(process) for process in train(processes)]
    assert len({event["path"] for event in events}) == 1
    assert sum(event["first_loss"] is not None for event in events) == 1


@pytest.mark.slow
def test_a_killed_training_blocks_nobody(train):
    first, second = train(2)
    for process in (first, second):
        process.stdout.readline()
    time.sleep(4.0)
    first.kill()
    assert event_of(second)["path"]


def test_one_that_waits_says_so(tmp_path, caplog):
    path, held, entered = tmp_path / "x.safetensors", threading.Event(), threading.Event()

    def hold():
        with locked(path):
            held.set()
            time.sleep(0.3)

    def enter():
        with only_trainer(path, "fbclip"):
            entered.set()

    with caplog.at_level(logging.WARNING):
        threads = [threading.Thread(target=hold), threading.Thread(target=enter)]
        threads[0].start()
        held.wait()
        threads[1].start()
        assert not entered.wait(0.1)
        for thread in threads:
            thread.join()
    assert entered.is_set()
    assert caplog.messages == ["fbclip: another process trains this checkpoint; waiting for it"]


def test_a_cached_checkpoint_is_loaded_from_a_folder_that_cannot_be_locked(request_for, monkeypatch, tmp_path):
    request = request_for(targets=("colondb",), allow_leak=True)
    (trained,) = train_all(request, None)
    monkeypatch.setattr("zsadbench.engine.learn.keep.locked", lambda *_: locked(tmp_path / "a file" / "x"))
    (tmp_path / "a file").write_text("")
    (loaded,) = train_all(request, None)
    assert loaded["path"] == trained["path"]
    assert loaded["first_loss"] is None
