"""Runs in worker processes: the records of one process, whatever dies meanwhile.

Starting a process takes seconds, so each test starts as few as it can.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from zsadbench import registry
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan

BATCHES = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid"), "batch_size": 1}
IMAGES = 4  # of a class
SECONDS = 240  # the longest that anything may take on a busy machine

METHOD = """
import os, time
from dataclasses import dataclass
from pathlib import Path
from zsadbench.types import MethodCard, Paper, Scores, Taps

@dataclass(frozen=True)
class Options:
    pass

class Detector:
    def score(self, tokens, class_names):
        {act}
        maps = tokens.layers[-1][:, 1:, :].mean(-1).reshape(len(class_names), tokens.grid, tokens.grid)
        return Scores(maps.amax((1, 2)), maps)

CARD = MethodCard(name="{name}", paper=Paper("A paper", "none", 2026, "key"), options=Options,
                  taps=lambda options: Taps((24,)), build=lambda backbone, options: Detector(), smoothing=0.0)
"""
DIE = "os.kill(os.getpid(), 9)"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """`plugin(name, act)` writes and registers a method that does something before it scores; returns its file."""
    monkeypatch.setattr(registry, "_plugin_files", [])
    monkeypatch.setattr(registry, "_plugins", {})
    methods = registry._points("methods")

    def add(name, act):
        path = tmp_path / f"{name}.py"
        path.write_text(METHOD.format(name=name, act=act))
        registry.add_plugin(path)
        return path

    before = dict(methods)
    yield add
    methods.clear()
    methods.update(before)


class Listener:
    """A reporter that keeps what it hears, in order."""

    def __init__(self):
        self.scored, self.heard = 0, []

    def images(self, count):
        self.scored += count

    def record(self, job, record):
        self.heard.append(job.setup.name)

    def __getattr__(self, name):
        return lambda *_: None


def test_two_processes_write_the_records_of_one(request_for, tmp_path, contents_of):
    request = {**BATCHES, "methods": ("clip", "fbclip"), "save_maps": True, "metrics": ("pixel_ap@pooled",)}
    assert not run_plan(make_plan(request_for(**request, out=tmp_path / "local"))).failures
    listener = Listener()
    plan = make_plan(request_for(**request, out=tmp_path / "processes", jobs=2, shard=2))
    assert not run_plan(plan, listener).failures
    assert (listener.scored, listener.heard) == (2 * IMAGES, ["clip", "fbclip"])
    assert contents_of(tmp_path / "processes") == contents_of(tmp_path / "local")
    assert not workers_of(os.getpid())


def test_a_process_that_dies_costs_its_unit(request_for, tmp_path, plugin, caplog):
    """The first method dies once, which costs nothing; the second one always, which costs itself alone."""
    marker = tmp_path / "died"
    once = f"Path({str(marker)!r}).exists() or (Path({str(marker)!r}).touch(), {DIE})"
    plugin("dies_once", once)
    plugin("dies", DIE)
    one_class = {**BATCHES, "classes": ("grid",), "batch_size": 4}
    plan = make_plan(request_for(**one_class, methods=("dies_once", "dies", "clip"), engine="processes"))
    results = run_plan(plan)
    assert [path.parent.name for path, _ in results.records] == ["dies_once", "clip"]
    (line,) = results.failures
    assert line.startswith("dies on mvtec, seed 0, grid: its worker process was killed by SIGKILL")
    for path, _ in results.records:
        (again,) = json.loads(path.read_text())["provenance"]["retried"]
        assert (again["class"], again["images"], again["batch_size"]) == ("grid", [1, IMAGES], 2)
    assert any("grid, images 1 to 4 are scored once more" in line for line in caplog.messages)


def workers_of(pid):
    """The worker processes of a process."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def until(condition):
    """Wait until a condition holds, and return what it returned."""
    start = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - start < SECONDS
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_keeps_its_shards_and_leaves_no_process(
    request_for, tmp_path, plugin, contents_of, small, mini, number
):
    path = plugin("slow", "time.sleep(0.3)")
    flags = f"-m slow -t mvtec --class bottle,grid --batch-size 1 --shard 1 --engine processes --workers 0 --aux none \
        --weights random -q --backbone {small} --data-root {mini} --out {tmp_path / 'results'} --plugin {path}".split()
    run = subprocess.Popen(
        [sys.executable, "-c", "from zsadbench.cli import main; main()", "run", *flags],
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: list(tmp_path.rglob("*.shards/*.npz")))
    children = workers_of(run.pid)
    assert len(children) == 1
    run.send_signal(number)
    _, told = run.communicate(timeout=SECONDS)
    assert run.returncode == (130 if number == signal.SIGINT else -number), told
    assert "Traceback" not in told
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    kept = len(list(tmp_path.rglob("*.shards/*.npz"))) + sum(
        IMAGES * len(json.loads(file.read_text())["classes"])
        for file in (tmp_path / "results" / "mvtec").rglob("*.json")
    )
    assert kept < 2 * IMAGES, "the run was stopped too late to prove anything"
    listener = Listener()
    request = {**BATCHES, "methods": ("slow",)}
    assert not run_plan(make_plan(request_for(**request, shard=1)), listener).failures
    assert listener.scored == 2 * IMAGES - kept
    assert not run_plan(make_plan(request_for(**request, out=tmp_path / "whole"))).failures
    assert contents_of(tmp_path / "results") == contents_of(tmp_path / "whole")
    assert not list(Path(tmp_path).rglob("*.shards"))
