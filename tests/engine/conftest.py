"""Runs of small detectors on miniature data sets: each takes a second."""

import json

import pytest

from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan


@pytest.fixture
def run(request_for):
    """`run(**changes)` runs such a request and returns its results."""
    return lambda **changes: run_plan(make_plan(request_for(**changes)))


@pytest.fixture
def record_of(run):
    """`record_of(**changes)` runs a request for one record and returns its JSON."""

    def make(**changes):
        results = run(**changes)
        assert not results.failures
        ((path, _),) = results.records
        return json.loads(path.read_text())

    return make
