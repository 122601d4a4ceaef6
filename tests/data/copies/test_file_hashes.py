"""Hashes of files: what is hashed again, what comes from the cache, and what a change during a run does."""

import io
import json
import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from zsadbench.data.copies import file_hashes
from zsadbench.data.copies.file_hashes import hash_file, hash_files
from zsadbench.errors import DataError

SETTLE = 0.03  # seconds until a file is old enough for the cache


@pytest.fixture(autouse=True)
def soon_settled(monkeypatch):
    monkeypatch.setattr(file_hashes, "UNSETTLED", 20_000_000)


@pytest.fixture
def folder(tmp_path):
    """A folder of five files with different content, old enough for the cache."""
    root = tmp_path / "copy"
    root.mkdir()
    for number in range(5):
        (root / f"{number}.bmp").write_bytes(bytes([number]) * 1000)
    time.sleep(SETTLE)
    return root


@pytest.fixture
def hashed(folder, monkeypatch):
    """`hashed()` hashes the files of the folder and returns the names of those that did not come from the cache."""

    def run():
        names = []
        original = file_hashes.hash_file
        with monkeypatch.context() as patch:
            patch.setattr(file_hashes, "hash_file", lambda path: names.append(Path(path).name) or original(path))
            run.result = hash_files([str(path) for path in folder.iterdir()], folder)
        return sorted(names)

    return run


def everything(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_hash_is_that_of_the_bytes(folder):
    found = hash_files([str(folder / "3.bmp"), "", str(folder / "3.bmp")], folder)
    assert found.digest(str(folder / "3.bmp")) == blake3(bytes([3]) * 1000).hexdigest()
    assert found.digest("") == ""
    assert found.size(str(folder / "3.bmp")) == 1000
    assert hash_files([], folder).rows == {}


def test_the_second_look_reads_no_file(folder, hashed):
    assert hashed() == everything(folder)
    first = hashed.result
    assert hashed() == []
    assert np.array_equal(first.digests, hashed.result.digests)
    assert np.array_equal(first.stamps, hashed.result.stamps)


def _same_size(path):
    path.write_bytes(b"\xff" * 1000)


def _same_size_and_time(path):
    status = path.stat()
    path.write_bytes(b"\xff" * 1000)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replaced_with_its_time(path):
    status = path.stat()
    other = path.with_suffix(".new")
    other.write_bytes(b"\xff" * 1000)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def _longer(path):
    path.write_bytes(b"\xff" * 1001)


CHANGES = [_same_size, _same_size_and_time, _replaced_with_its_time, _longer]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_content_is_hashed_again(folder, hashed, change):
    hashed()
    before = hashed.result
    change(folder / "2.bmp")
    assert hashed() == ["2.bmp"]
    for name in everything(folder):
        same = before.digest(str(folder / name)) == hashed.result.digest(str(folder / name))
        assert same == (name != "2.bmp")


def test_touched_and_copied_files_keep_their_hash(folder, hashed, tmp_path):
    hashed()
    before = hashed.result
    os.utime(folder / "1.bmp", ns=(1, 1))
    assert hashed() == ["1.bmp"]
    assert np.array_equal(before.digests, hashed.result.digests)
    shutil.copytree(folder, tmp_path / "elsewhere")
    copy = hash_files([str(path) for path in (tmp_path / "elsewhere").iterdir()], tmp_path / "elsewhere")
    assert np.array_equal(before.digests, copy.digests)


def test_a_file_that_has_just_been_written_is_not_taken_from_the_cache(folder, hashed):
    (folder / "2.bmp").write_bytes(b"a" * 1000)
    hashed()
    assert "2.bmp" in hashed()


def test_files_that_are_not_asked_about_stay_in_the_cache_while_they_exist(folder, hashed):
    hashed()
    (folder / "0.bmp").unlink()
    (folder / "5.bmp").write_bytes(b"new")
    time.sleep(SETTLE)
    hash_files([str(folder / "5.bmp")], folder)
    assert hashed() == []
    (cache,) = (file_hashes.cache_folder() / "files").glob("*.npz")
    with np.load(cache) as archive:
        assert b"0.bmp" not in archive["names"].tobytes()


def _broken_caches(cache):
    whole = cache.read_bytes()
    yield b""
    yield whole[: len(whole) // 2]
    yield b"PK" + whole[2:60]
    yield whole[:300] + bytes([whole[300] ^ 255]) + whole[301:]
    yield json.dumps([1]).encode()
    for content in (
        {"names": np.zeros(3, np.uint8)},
        {"names": np.zeros(0, np.uint8), "stamps": np.zeros((1, 4), np.uint64), "digests": np.zeros((1, 32), np.uint8)},
        {"names": np.frombuffer(b"x", np.uint8), "stamps": np.zeros((1, 4)), "digests": np.zeros((1, 32), np.uint8)},
        {"names": np.array("x"), "stamps": np.zeros((1, 3), np.uint64), "digests": np.zeros((1, 32), np.uint8)},
    ):
        buffer = io.BytesIO()
        np.savez(buffer, **content)
        yield buffer.getvalue()


def test_a_broken_cache_is_made_again(folder, hashed):
    hashed()
    before = hashed.result
    (cache,) = (file_hashes.cache_folder() / "files").glob("*.npz")
    for broken in _broken_caches(cache):
        cache.write_bytes(broken)
        assert hashed() == everything(folder)
        assert np.array_equal(before.digests, hashed.result.digests)
        assert hashed() == []


def test_a_cache_that_cannot_be_written_costs_only_time(folder, hashed, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "file"))
    assert hashed() == hashed() == everything(folder)


def test_a_missing_file_is_named(folder):
    with pytest.raises(DataError, match=r"9\.bmp' cannot be read: No such file"):
        hash_files([str(folder / "9.bmp")], folder)


def test_what_cannot_be_read_has_no_hash_and_does_not_wait(folder):
    (folder / "folder.bmp").mkdir()
    os.mkfifo(folder / "pipe.bmp")
    for name in ("folder.bmp", "pipe.bmp"):
        found = hash_files([str(folder / name)], folder)
        assert found.digest(str(folder / name)) == ""


def test_a_file_that_changes_while_it_is_read_is_named(folder, monkeypatch):
    path = folder / "1.bmp"

    class Growing:
        """A hash during which somebody writes."""

        def __init__(self):
            self.hash = blake3()

        def update(self, data):
            self.hash.update(data)
            path.write_bytes(b"more" * 1000)

        def digest(self):
            return self.hash.digest()

    monkeypatch.setattr(file_hashes, "NEW_HASH", Growing)
    with pytest.raises(DataError, match=r"1\.bmp' changes while it is read"):
        hash_file(str(path))


# ---- during a run


def test_files_that_stay_as_they_are_pass(folder, hashed):
    hashed()
    with hashed.result.unchanged(str(folder / "1.bmp"), str(folder / "2.bmp")):
        pass


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_change_of_content_is_an_error_that_names_the_file(folder, hashed, change, when):
    hashed()
    path = folder / "2.bmp"
    if when == "before":
        change(path)
    during = change if when == "while" else Path.exists
    with (
        pytest.raises(DataError, match=r"^changed during the run: '.*2\.bmp' is no longer the file"),
        hashed.result.unchanged(str(folder / "1.bmp"), str(path)),
    ):
        during(path)
    with hashed.result.unchanged(str(folder / "1.bmp")):
        pass


def test_other_files_that_differ_are_counted(folder, hashed):
    hashed()
    for name in ("1.bmp", "2.bmp", "4.bmp"):
        _same_size(folder / name)
    with (
        pytest.raises(DataError, match=r"'.*1\.bmp'.*, and 2 more files of this set have another size or time"),
        hashed.result.unchanged(str(folder / "1.bmp")),
    ):
        pass


def test_a_touched_file_passes_and_one_changed_there_and_back_while_it_is_read_does_not(folder, hashed):
    hashed()
    path = folder / "2.bmp"
    os.utime(path, ns=(1, 1))
    with hashed.result.unchanged(str(path)):
        pass
    content = path.read_bytes()
    with pytest.raises(DataError, match="changed during the run"), hashed.result.unchanged(str(path)):
        _ = path.write_bytes(b"other"), time.sleep(SETTLE), path.write_bytes(content)


def test_the_change_explains_the_failure_to_read_and_other_failures_stay(folder, hashed):
    hashed()
    path = folder / "2.bmp"
    with pytest.raises(DataError, match="no image at all"), hashed.result.unchanged(str(path)):
        raise DataError("no image at all")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="changed during the run"), hashed.result.unchanged(str(path)):
        raise DataError("no image at all")


def test_progress_is_shown_when_it_takes_long(folder, hashed, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    hashed()
    assert not caplog.records
    monkeypatch.setattr(file_hashes, "FIRST_REPORT", 0.0)
    monkeypatch.setattr(file_hashes, "TASK", 2)
    shutil.rmtree(file_hashes.cache_folder() / "files")
    hashed()
    (entry,) = caplog.records  # the next report comes after some seconds more
    assert f"hashing the files of '{folder}', once for this copy: 2 of 5 files" in entry.getMessage()


def test_what_another_process_adds_meanwhile_is_kept(folder):
    """Two processes hash other files of one folder; the one that writes last keeps the hashes of both."""
    late = file_hashes._Cache(folder)
    hash_files([str(folder / "0.bmp")], folder)
    hashes = hash_files([str(folder / "1.bmp")], folder)
    late.write([str(folder / "2.bmp")], hashes.stamps, hashes.digests, np.array([True]))
    assert set(file_hashes._Cache(folder).rows) == {"0.bmp", "1.bmp", "2.bmp"}
