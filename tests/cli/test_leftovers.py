"""What a killed process left unfinished is removed at the next start; what a living process writes stays."""

import signal
import subprocess
import sys
import time

import pytest

from zsadbench import files
from zsadbench.data import DiskBudget
from zsadbench.data.catalogue import find_card
from zsadbench.data.copies.generated import DRAWING, generated_copy
from zsadbench.files import remove_leftovers, replacing, temporary_file, write_atomically

WRITER = """
import sys, time
from pathlib import Path
from zsadbench.files import replacing
with replacing(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def unfinished(folder):
    return sorted(path.name for path in folder.rglob("*") if path.name.endswith(files.UNFINISHED))


@pytest.fixture
def writer(tmp_path):
    """A process that has begun to write `folder/name` below the temporary folder: `writer("folder/name")`."""
    running = []

    def start(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout.readline() == b"writing\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    """This process has cleaned no folder yet."""
    monkeypatch.setattr(files, "_cleaned", set())


def test_the_next_write_removes_it_and_leaves_what_is_written(writer, tmp_path):
    dead, living = writer("out/a.json"), writer("out/b.json")
    assert len(unfinished(tmp_path)) == 2
    killed(dead)
    write_atomically(tmp_path / "out" / "c.json", b"c")
    (left,) = unfinished(tmp_path)
    assert left.startswith(".b.json.")
    killed(living)
    remove_leftovers(tmp_path / "out")
    assert unfinished(tmp_path) == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.json"]


def test_files_of_the_user_stay(tmp_path):
    for name in (".notes.deadbeef", "report.unfinished", ".unfinished.txt"):
        (tmp_path / name).write_text("mine")
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_block_that_fails_leaves_nothing(tmp_path):
    path = tmp_path / ("n" * 255)
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as stream:
        stream.write("no bytes")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_an_empty_file_stays_as_long_as_its_block(tmp_path):
    with temporary_file(tmp_path / "token") as path:
        remove_leftovers(tmp_path)
        assert unfinished(tmp_path) == [path.name]
    assert unfinished(tmp_path) == []
    path.touch()  # as a killed process leaves it
    remove_leftovers(tmp_path)
    assert unfinished(tmp_path) == []


def test_a_run_cleans_its_folder_and_all_below(writer, cli, quick, tmp_path):
    for name in ("results/brainmri/clip/a.json", "results/x/y/z.maps/good/1.npy"):
        killed(writer(name))
    assert len(unfinished(tmp_path / "results")) == 2
    assert cli("run", *quick, "-t", "colondb", "-q").code == 0
    assert unfinished(tmp_path / "results") == []


def test_a_cache_of_entries_cleans_all_its_folders(writer, tmp_path):
    for name in ("tokens/one/a", "tokens/two/b"):
        killed(writer(name))
    budget = DiskBudget(tmp_path / "tokens" / "two", 10, 1 << 20, "token cache")
    budget.write(tmp_path / "tokens" / "two" / "c", lambda: [b"0123456789"], "tokens")
    assert unfinished(tmp_path / "tokens") == []
    assert (tmp_path / "tokens" / "two" / "c").read_bytes() == b"0123456789"


def test_a_killed_generation_is_removed(tmp_path):
    folder = tmp_path / "cache" / "demo"
    (folder / f"{DRAWING}abc" / "set" / "x").mkdir(parents=True)
    generated_copy(find_card("demo"))
    assert not list(folder.glob(f"{DRAWING}*"))


def test_a_generation_waits_for_another_and_takes_its_set(tmp_path):
    folder = tmp_path / "cache" / "demo"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom zsadbench.files import locked\n"
        "folder = Path(sys.argv[1])\n"
        "with locked(folder.parent / 'drawing'):\n"
        "    print('drawing', flush=True); time.sleep(1); folder.mkdir()\n"
    )
    from zsadbench.data.catalogue import package_attribute

    card = find_card("demo")
    target = folder / f"demo-{package_attribute(card, 'edition')('demo')}"
    other = subprocess.Popen([sys.executable, "-c", code, target], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"drawing\n"
    began = time.monotonic()
    assert generated_copy(card) == target
    assert time.monotonic() - began > 0.5
    other.communicate()
    assert other.returncode == 0
