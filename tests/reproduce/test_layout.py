"""The jobs of a table: the paper's settings, and the names of substituted ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from zsadbench.cli import app
from zsadbench.clip import BackboneSpec
from zsadbench.clip.config import find_config
from zsadbench.clip.weights import OPENAI_FILES, Weights
from zsadbench.compare.paper_rows import find_table, table_names
from zsadbench.data import synthesise
from zsadbench.engine.plan.request import RunRequest
from zsadbench.reproduce.layout import lay_out

CLIP = "ViT-L-14-336"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with miniatures of MVTec AD, VisA and BrainMRI."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("mvtec", "visa", "brainmri"):
        synthesise(name, folder, 1)
    return folder


@pytest.fixture
def lay(root, monkeypatch, tmp_path):
    """`lay(table, weights=..., **changes)` plans a table as if the weights were there."""

    def make(name, weights=None, **changes):
        found = weights or Weights("tag", "openai", "a" * 64, quick_gelu=True)
        spec = BackboneSpec(find_config(CLIP), found)
        for module in ("reproduce.layout", "engine.plan.jobs"):
            monkeypatch.setattr(f"zsadbench.{module}.resolve", lambda *_, **__: spec)
        table = find_table(name)
        asked = RunRequest(("fbclip",), table.targets, data_roots=(root,), out=tmp_path / "results")
        return lay_out(table, replace(asked, **changes))

    return make


def test_nothing_changed_is_the_papers_own_run(lay):
    layout = lay("fbclip:table5")
    wide, half = (
        [run for run in layout.runs if run.row.label.startswith(f"background {part} ")] for part in ("L", "L/2")
    )
    assert [run.changed for run in layout.runs] == [()] * 4
    for mvtec, visa in (wide, half):
        assert (mvtec.used, visa.used) == ("mvtec", "visa")
        cells = [run.jobs[0].cell for run in (mvtec, visa)]
        assert [(cell["aux"]["name"], cell["recipe"]["epochs"], cell["seed"]) for cell in cells] == [
            ("visa", 3, 111),
            ("mvtec", 2, 111),
        ]
        assert {(cell["protocol"]["name"], cell["image_size"], cell["backbone"]) for cell in cells} == {
            ("paper:fbclip", 518, CLIP)
        }
    assert [run.jobs[0].cell["options"] for run in (*wide, *half)] == [{"bs_fraction": 1.0}] * 2 + [{}] * 2
    assert len(layout.plan.jobs) == 4


def test_the_plan_is_that_of_run(lay, root, tmp_path):
    from zsadbench.engine.plan.jobs import make_plan

    (run,) = lay("fbclip:table11").runs
    request = RunRequest(("fbclip",), ("visa",), protocol="paper:fbclip", data_roots=(root,), out=tmp_path / "results")
    assert [job.path for job in make_plan(request).jobs] == [job.path for job in run.jobs]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 5}, "epochs 5 in place of 2"),
        ({"limit": 1}, "the first 1 images per label and class"),
        ({"image_size": 336}, "image size 336 in place of 518"),
        ({"aux": "none"}, "auxiliary set none in place of mvtec"),
        ({"weights": Weights("random", "random", "b" * 64)}, "weights random in place of openai"),
        ({"weights": Weights("file", "mine.pt", "b" * 64, Path("mine.pt"))}, "weights mine.pt in place of openai"),
        ({"weights": Weights("tag", "laion2b", "b" * 64)}, "weights laion2b in place of openai"),
        ({"weights": Weights("file", "x.pt", OPENAI_FILES[CLIP][0], Path("x.pt"))}, ""),  # by its hash OpenAI's own
        ({"seeds": (0, 1)}, ""),
        ({"device": "cpu", "batch_size": 3}, ""),
    ],
    ids=str,
)
def test_what_is_changed_is_named(lay, changes, words):
    (run,) = lay("fbclip:table11", **changes).runs
    assert run.changed == ((words,) if words else ())


def test_another_set_stands_in_place_of_all(lay):
    layout = lay("fbclip:table5", targets=("brainmri",))
    assert {(run.used, run.jobs[0].cell["aux"]["name"]) for run in layout.runs} == {("brainmri", "mvtec")}
    assert len(layout.plan.jobs) == 2  # what both columns of a row need is run once
    for run in layout.runs:
        expected = (f"data set brainmri in place of {run.target}",)
        if run.target == "mvtec":
            expected += ("auxiliary set mvtec in place of visa", "epochs 2 in place of 3")
        assert run.changed == expected


@pytest.mark.parametrize("name", [name for name in table_names() if not name.endswith(":claims")])
def test_every_table_can_be_planned(name, tmp_path):
    app(["reproduce", name, "--dry-run", "--out", str(tmp_path / "results")], standalone_mode=False)
    assert not (tmp_path / "results").exists()
