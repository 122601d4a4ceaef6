"""Runs of small detectors on miniature data sets; each takes about a second."""

import json

import pytest

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
