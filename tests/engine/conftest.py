"""Runs of small detectors on miniature data sets; each takes about a second."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from zsadbench import registry
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan


@pytest.fixture
def run(request_for):
    """`run(**changes)` runs the request of `request_for` with these changes and returns its results."""
    return lambda **changes: run_plan(make_plan(request_for(**changes)))


@pytest.fixture
def record_of(run):
    """`record_of(**changes)` runs a request for one record and returns the JSON of the record."""

    def make(**changes):
        results = run(**changes)
        assert not results.failures
        ((path, _),) = results.records
        return json.loads(path.read_text())

    return make


@pytest.fixture
def evaluated(run):
    """`evaluated(*classes, **changes)`: the path of a record of these classes of mvtec, with saved maps."""

    def make(*classes, **changes):
        request = {"targets": ("mvtec",), "classes": classes or ("bottle",), "aux": "none", "epochs": None}
        results = run(**{**request, "save_maps": True, **changes})
        assert not results.failures
        return results.records[0][0]

    return make


def _content(path):
    """What a file beside a record says, without timings and provenance."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return json.dumps(
            {key: value for key, value in json.loads(content).items() if key not in ("cost", "provenance")}
        )
    if path.suffix == ".parquet":
        return pd.read_parquet(path).drop(columns="seconds").to_json()
    if path.suffix == ".npz":
        with np.load(io.BytesIO(content)) as arrays:
            return {name: arrays[name].tobytes() for name in arrays.files}
    return content


@pytest.fixture
def contents_of():
    """`contents_of(folder)`: relative path → content of all results in a folder, timings and provenance aside."""

    def read(folder):
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".lock", ".log")]
        assert files
        return {str(path.relative_to(folder)): _content(path) for path in files}

    return read


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


@pytest.fixture
def listener():
    """A reporter that keeps what it hears."""
    return Listener()
