"""Miniature data sets and a tower of twelve narrow blocks: a run takes a second."""

import json

import pytest

from zsadbench.data import synthesise
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.run import run_plan


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    """A data root with miniatures of colondb (pixel level), brainmri (image level), mvtec and btad (both)."""
    root = tmp_path_factory.mktemp("data")
    for name, per_class in (("colondb", 2), ("brainmri", 3), ("mvtec", 2), ("btad", 2)):
        synthesise(name, root, per_class)
    return root


@pytest.fixture(scope="session")
def small(backbone_file):
    """The path of an architecture of 12 blocks at 28 px."""
    return backbone_file(vision={"layers": 12})


@pytest.fixture
def request_for(mini, small, tmp_path):
    """`request_for(**changes)`: FB-CLIP on brainmri, learned from colondb, with random weights."""

    def make(**changes):
        settled = {
            "methods": ("fbclip",),
            "targets": ("brainmri",),
            "aux": "colondb",
            "epochs": 1,
            "backbone": str(small),
            "weights": "random",
            "data_roots": (mini,),
            "out": tmp_path / "results",
            "workers": 0,
        }
        return RunRequest(**{**settled, **changes})

    return make


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
