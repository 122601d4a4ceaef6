"""A few runs that are killed; `make faults` kills hundreds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.faults.checks import Found, check_after_kill, check_complete
from tools.faults.engines import Comparison
from tools.faults.world import Chain

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes and forks them as on Linux")
def test_runs_that_are_killed_lose_nothing():
    command = [sys.executable, "-m", "tools.faults", "--kills", "8", "--minutes", "0.5"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "| **records or classes lost** | 0 |" in run.stdout
    kills = next(line for line in run.stdout.splitlines() if line.startswith("| kills |"))
    assert int(kills.split("|")[2]) >= 1


@pytest.fixture
def chains(tmp_path):
    """Two runs that look complete and equal."""
    made = Chain(tmp_path / "mine"), Chain(tmp_path / "reference")
    for chain in made:
        for name in ("results/a.npy", "cache/checkpoints/b.txt", "cache/.x.lock"):
            path = chain.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("content")
        chain.events.write_text("score\nplain\nstep first\nstep second\n" * 4)
    (made[0].results / "a.npy").unlink()
    (made[1].results / "a.npy").unlink()
    return made


def test_what_is_wrong_is_found(chains):
    mine, reference = chains
    found = Found()
    assert check_complete(mine, reference, 0, 1, found) == {"images": 0, "steps": 0}
    check_after_kill(mine, {}, found)
    assert found.faults == []
    mine.events.write_text(mine.events.read_text() + "score\n" * 3 + "step first\n" * 4)
    assert check_complete(mine, reference, 1, 1, found) == {"images": 3, "steps": 4}
    assert found.count("repeated") == 2
    (mine.results / "r.json").write_text("{")
    (mine.results / "half.npy").write_bytes(b"\x93NUMPY")
    (mine.cache / "checkpoints" / "b.txt").write_text("other")
    (mine.results / ".left.unfinished").write_text("")
    (mine.results / "half.npy").rename(mine.cache / "half.npy")
    check_after_kill(mine, {mine.results / "gone.json": {}}, found)
    assert (found.count("lost"), found.count("torn")) == (1, 3), "a record is read as a record, and as a file"
    (mine.results / "r.json").unlink()
    check_complete(mine, reference, 1, 1, found)
    assert (found.count("different"), found.count("leftovers")) == (1, 1)


def test_a_lock_that_is_held_is_found(chains):
    import fcntl

    found = Found()
    with (chains[0].cache / ".x.lock").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        check_after_kill(chains[0], {}, found)
    assert found.count("locks") == 1


def test_engines_whose_results_differ_are_found(tmp_path):
    comparison = Comparison(tmp_path, "clip", "0")
    for name in ("reference", "ray"):
        (tmp_path / name / "results").mkdir(parents=True)
    assert comparison.differences("ray") == "nothing was written"
    for name in ("reference", "ray"):
        (tmp_path / name / "results" / "a.txt").write_text("same")
    assert not comparison.differences("ray")
    (tmp_path / "ray" / "results" / "a.txt").write_text("other")
    (tmp_path / "ray" / "results" / "b.txt").write_text("more")
    assert comparison.differences("ray") == "a.txt, b.txt"


@pytest.mark.slow
def test_engines_write_the_same_records(tmp_path):
    command = [sys.executable, "-m", "tools.faults.engines", "--methods", "clip", "--seeds", "0", "--kills", "1"]
    run = subprocess.run([*command, "--folder", str(tmp_path)], check=False, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("| equal |") == 13
