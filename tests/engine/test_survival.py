"""Writes that fail at any step, a clock that jumps, a full disk: what is done stays, and the rest is made later."""

import errno
import itertools
import os
import subprocess
import time

import pytest

from zsadbench import files
from zsadbench.engine.learn import epochs
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.errors import ZsadError

REQUEST = {"methods": ("anomalyclip", "clip"), "epochs": 2, "batch_size": 1, "shard": 2, "save_maps": True}
STEPS = ("open", "sync", "rename")

WRITES = (("open", errno.EROFS), ("write", errno.ENOSPC), ("sync", errno.EIO), ("flush", errno.ENOSPC))


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    """The state of a training is written after every epoch."""
    monkeypatch.setattr(epochs, "SECONDS", 0.0)


@pytest.fixture(scope="module")
def whole():
    """Contents of the undisturbed run, by part; filled by the first test that needs them."""
    return {}


@pytest.fixture
def complete(request_for, tmp_path, contents_of, whole, monkeypatch):
    """`complete(folder)` finishes the runs in a folder, and checks that they are those of an undisturbed run."""

    def run(folder):
        monkeypatch.setattr(files, "fail_point", None)
        assert not run_plan(make_plan(request_for(**REQUEST, out=folder))).failures
        if not whole:
            monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "other"))
            assert not run_plan(make_plan(request_for(**REQUEST, out=tmp_path / "whole"))).failures
            whole.update(contents_of(tmp_path / "whole"))
        assert contents_of(folder) == whole

    return run


def failing(monkeypatch, number, step, within, once=False):
    """Have writes fail below a folder at a step with this error; return the names of the files concerned."""
    seen = []

    def fail(reached, path):
        if reached == step and path.is_relative_to(within) and not (once and seen):
            seen.append(path.name)
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "fail_point", fail)
    return seen


@pytest.mark.parametrize("step", STEPS)
def test_a_cache_that_cannot_be_written_costs_no_result(request_for, tmp_path, monkeypatch, complete, step):
    seen = failing(monkeypatch, errno.ENOSPC, step, tmp_path / "cache")
    assert not run_plan(make_plan(request_for(**REQUEST))).failures
    assert {".safetensors", ".epoch"} <= {os.path.splitext(name)[1] for name in seen}  # noqa: PTH122 - of names
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    complete(tmp_path / "results")


@pytest.mark.parametrize(("step", "number"), WRITES)
def test_results_that_cannot_be_written_fail_and_are_made_by_the_next_run(
    request_for, tmp_path, monkeypatch, complete, step, number
):
    seen = failing(monkeypatch, number, step, tmp_path / "results")
    failures = run_plan(make_plan(request_for(**REQUEST))).failures
    assert len(failures) == 2
    assert all(os.strerror(number) in line for line in failures)
    assert seen
    complete(tmp_path / "results")


def test_every_single_write_may_fail(request_for, tmp_path, monkeypatch, complete):
    """One failed write costs at most its class, whichever it is; the runs share nothing."""
    reached = []
    monkeypatch.setattr(files, "fail_point", lambda step, path: reached.append(step))
    run_plan(make_plan(request_for(**REQUEST, out=tmp_path / "count")))
    writes = reached.count("rename")
    assert writes > 15
    for number in range(1, writes, max(1, writes // 3)):
        folder, counter = tmp_path / f"results{number}", itertools.count(1)
        monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / f"cache{number}"))

        def fail(step, path, number=number, counter=counter):
            if step == "rename" and next(counter) == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(files, "fail_point", fail)
        assert len(run_plan(make_plan(request_for(**REQUEST, out=folder))).failures) <= 1
        complete(folder)


def test_a_clock_that_jumps_changes_nothing(request_for, tmp_path, monkeypatch, complete):
    now, now_ns, jumps = time.time, time.time_ns, itertools.cycle([0, 86_400, -86_400, 3])
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + next(jumps) * 10**9)
    assert not run_plan(make_plan(request_for(**REQUEST))).failures
    complete(tmp_path / "results")


@pytest.fixture
def small_disk(tmp_path):
    """`small_disk(kilobytes, options)`: a file system of this size; skips where none can be mounted."""
    mounted = []

    def mount(kilobytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
        if os.getuid() or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_costs_what_does_not_fit(request_for, tmp_path, small_disk, monkeypatch, complete):
    results, cache, temporary = small_disk(40), small_disk(40), small_disk(4)
    monkeypatch.setenv("ZSADBENCH_CACHE", str(cache / "cache"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    failures = run_plan(make_plan(request_for(**REQUEST, out=results / "r"))).failures
    assert failures
    assert all("No space left on device" in line for line in failures)
    assert not [path for path in results.rglob("*") if path.name.endswith(files.UNFINISHED)]
    for folder in (results, cache):
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    complete(results / "r")


def test_results_on_a_read_only_disk_are_refused_before_any_work(request_for, small_disk):
    results = small_disk(1024)
    subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
    with pytest.raises(ZsadError, match="cannot be written"):
        make_plan(request_for(**REQUEST, out=results / "r"))
