"""The columns of frames: the tables of docs/notebooks.md and the docstrings name those of real frames, in order."""

import inspect
import re
from pathlib import Path

import pytest

import zsadbench
from zsadbench.data.copies.manifest import make_manifest
from zsadbench.data.copies.overview import count_images
from zsadbench.engine.drive.reporter import Reporter
from zsadbench.engine.results import Results

PAGE = Path(__file__).resolve().parents[2] / "docs" / "notebooks.md"
DOCSTRINGS = {
    "Results.frame": Results.frame,
    "Results.table": Results.table,
    "Results.images": Results.images,
    "Dataset.manifest": make_manifest,
    "Dataset.counts": count_images,
}


def first_column(heading):
    """What the first table below a heading has in its first column."""
    section = PAGE.read_text(encoding="utf-8").split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


@pytest.fixture(scope="module")
def frames(mini, small, tmp_path_factory):
    """Real frames by their name in the page; of the means, without the columns of metrics."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSADBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("results")
        results = zsadbench.run(
            "clip", "colondb", backbone=str(small), weights="random", data_roots=mini, out=out, workers=0
        )
    data, table = zsadbench.load_dataset("colondb", mini), results.table()
    assert zsadbench.read_results(out).columns.tolist() == results.frame().columns.tolist()
    metrics = set(results.frame()["metric"])
    assert set(table.columns) > metrics
    return {
        "Results.frame": results.frame(),
        "Results.table": table.drop(columns=list(metrics)),
        "Results.images": results.images(),
        "Dataset.manifest": data.manifest,
        "Dataset.counts": data.counts(),
    }


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_documented_columns_are_those_of_a_frame(frames, name):
    columns = frames[name].columns.tolist()
    assert first_column(f"### `{name}`") == columns
    docstring = inspect.getdoc(DOCSTRINGS[name])
    described = docstring.split("Returns:", 1)[1].split("Raises:")[0]
    places = [described.find(f"`{column}`") for column in columns]
    assert min(places) >= 0, columns[places.index(-1)]


def test_every_callback_is_in_the_table():
    assert first_column("## Callbacks") == [name for name in vars(Reporter) if not name.startswith("_")]
