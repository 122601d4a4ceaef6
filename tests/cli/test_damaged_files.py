"""Files of earlier runs that are damaged: named, made again or left out; never a traceback, never another number."""

import json
import shutil
from pathlib import Path

import pytest

DEEP = "[" * 100_000
DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "one byte": lambda content: content[:1],
    "text": lambda content: b"not what was written\n",
    "deep": lambda content: DEEP.encode(),
    "list": lambda content: b"[1]",
    "not finite": lambda content: b'{"edges": [NaN, 1, 2], "image": NaN}',
    "strings": lambda content: b'{"edges": ["a", "b", "c"], "image": "a", "pixel": "b"}',
    "middle": lambda content: content[: len(content) // 2] + bytes(16) + content[len(content) // 2 + 16 :],
    "NumPy header": lambda content: b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': ((((\n" + bytes(64),
}


@pytest.fixture
def finished(cli, mini, small, tmp_path, monkeypatch):
    """A run that trained and wrote every kind of file; gives its arguments, its folders and its results."""
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    flags = ("-m", "fbclip", "--aux", "visa", "--epochs", "1", "--limit", "1", "--backbone", small)
    more = ("--weights", "random", "-t", "colondb", "--metric", "image_f1@aux,pixel_auroc@pooled", "--save-maps")
    arguments = ("run", *flags, *more, "--image-cache", "1MiB", "--json", "-q")
    told = cli(*arguments)
    assert told.code == 0, told.err
    record = Path(json.loads(told.out.splitlines()[0])["path"])
    return arguments, record, json.loads(record.read_text())


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_caches_are_made_again(cli, finished, tmp_path, damage):
    arguments, record, before = finished
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size]
    assert {path.parent.name for path in files if path.suffix == ".json"} >= {"areas", "masks", "fbclip"}
    for path in files:
        path.write_bytes(damage(path.read_bytes()))
    shutil.rmtree(tmp_path / "results")
    told = cli(*arguments)
    assert "Traceback" not in told.err
    assert told.code == 0, told.err
    after = json.loads(record.read_text())
    assert after["classes"] == before["classes"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_files_beside_a_record_are_named(cli, finished, tmp_path, damage):
    arguments, record, before = finished
    for path in record.parent.iterdir():
        if path.is_file() and path != record and path.stat().st_size:
            path.write_bytes(damage(path.read_bytes()))
    for verb in (
        (*arguments, "--dry-run"),
        arguments,
        ("report", "--format", "csv,markdown,failures"),
        ("compare", "fbclip", "fbclip"),
    ):
        told = cli(*verb)
        assert "Traceback" not in told.err
        assert told.code in {0, 2, 5}, told.err
    assert json.loads(record.read_text())["classes"] == before["classes"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_record_is_named(cli, finished, damage):
    arguments, record, _ = finished
    record.write_bytes(damage(record.read_bytes()))
    told = cli(*arguments)
    assert told.code == 5
    assert str(record) in told.error
    told = cli("report", "--format", "csv")
    assert told.code == 0, told.err
    assert str(record) in told.err
