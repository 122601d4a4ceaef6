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

from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan

BATCHES = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid"), "batch_size": 1}
IMAGES = 4  # of a class
SECONDS = 240  # the longest that anything may take on a busy machine

DIE = "os.kill(os.getpid(), 9)"


def test_two_processes_write_the_records_of_one(request_for, tmp_path, contents_of, listener):
    request = {**BATCHES, "methods": ("clip", "fbclip"), "save_maps": True, "metrics": ("pixel_ap@pooled",)}
    assert not run_plan(make_plan(request_for(**request, out=tmp_path / "local"))).failures
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
    request_for, tmp_path, plugin, contents_of, small, mini, listener, number
):
    path = plugin("slow", "time.sleep(0.3)")
    flags = f"-m slow -t mvtec --class bottle,grid --batch-size 1 --shard 1 --engine processes --workers 0 --aux none \
        --weights random -q --backbone {small} --data-root {mini} --out {tmp_path / 'results'} --plugin {path}".split()
    run = subprocess.Popen(
        [sys.executable, "-c", "from zsadbench.cli import main; main()", "run", *flags],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as many threads as these tests have
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
    request = {**BATCHES, "methods": ("slow",)}
    assert not run_plan(make_plan(request_for(**request, shard=1)), listener).failures
    assert listener.scored == 2 * IMAGES - kept
    assert not run_plan(make_plan(request_for(**request, out=tmp_path / "whole"))).failures
    assert contents_of(tmp_path / "results") == contents_of(tmp_path / "whole")
    assert not list(Path(tmp_path).rglob("*.shards"))


# A mutex that is locked twice: it never returns to Python, and no thread of Python runs meanwhile.
HANG = """m = __import__("ctypes").create_string_buffer(64)
        lock = __import__("ctypes").PyDLL(None).pthread_mutex_lock
        lock(m), lock(m)"""
LEAK = """import psutil, resource
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2**28, before[1]))
        hoard = []
        try:
            while True:
                hoard.append(bytearray(2**24))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)"""


@pytest.mark.slow  # three processes, one after the other, and twice the time of a unit that hangs
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is that of Linux")
def test_a_method_that_hangs_outside_of_python_or_leaks_costs_itself_alone(request_for, plugin):
    plugin("hangs", HANG)
    plugin("leaks", LEAK)
    one_class = {**BATCHES, "classes": ("grid",), "batch_size": 4}
    request = request_for(**one_class, methods=("leaks", "hangs", "clip"), engine="processes", unit_timeout=45)
    results = run_plan(make_plan(request))
    assert sorted(results.failures) == [
        "hangs on mvtec, seed 0, grid: it took longer than --unit-timeout 45 s",
        "leaks on mvtec, seed 0, grid: out of memory; a smaller --batch-size or --image-size may help",
    ]
    assert [path.parent.name for path, _ in results.records] == ["clip"]
    assert not workers_of(os.getpid())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for the death of a parent")
def test_a_worker_that_hangs_outside_of_python_ends_with_its_driver(tmp_path, plugin, small, mini):
    marker = tmp_path / "hangs"
    path = plugin("hangs", f"Path({str(marker)!r}).touch()\n        {HANG}")
    flags = f"-m hangs -t mvtec --class grid --engine processes --workers 0 --aux none --weights random -q \
        --backbone {small} --data-root {mini} --out {tmp_path / 'results'} --plugin {path}".split()
    run = subprocess.Popen([sys.executable, "-c", "from zsadbench.cli import main; main()", "run", *flags])
    until(marker.is_file)
    (child,) = workers_of(run.pid)
    run.kill()
    run.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
