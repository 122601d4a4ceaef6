"""The script that measures on a GPU, at a small size on the CPU with the tower of the parity fixtures."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The module, which finds those beside it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("on_gpu", FOLDER / "on_gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_parts_in_this_process_fill_their_tables(script, fixtures_root, tmp_path):
    weights = ["--weights", str(fixtures_root / "backbone.safetensors")]
    flags = ["--small", "--device", "cpu", "--backbone", str(fixtures_root / "backbone.json"), *weights]
    arguments = script.parse(flags)
    parts = {part: list(script.PARTS[part](arguments)) for part in ("tower", "offline")}
    assert [row["batch_size"] for row in parts["tower"]] == [1, 2]
    assert all(row["ours_ms"] > 0 and row["open_clip_ms"] > 0 and row["share_of_peak"] > 0 for row in parts["tower"])
    assert parts["offline"][0]["images_per_second"] > 0
    text = script.tables({"device": "x", "torch": "2", "parts": parts, "missing": {"heads": "the time was over"}})
    assert text.count("| 1 | ") + text.count("| 2 | ") >= 2
    assert "Not all is measured: the time was over." in text
    assert json.dumps(parts)


def test_a_part_without_time_is_said_to_be_missing(script):
    rows, why = script.in_process("tower", ["--small", "--device", "cpu"], 0.2)
    assert (rows, why) == ([], "the time was over")
    assert script.rows_of('{"a": 1}\nwarning\n{"b": ') == [{"a": 1}]


def test_without_a_gpu_nothing_is_measured():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    run = subprocess.run([sys.executable, FOLDER / "on_gpu.py"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("there is no GPU, so nothing is measured")
