"""The finishing step over all images of a class: declared, off under strict, on under a paper's protocol, marked."""

import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from zsadbench.compare.measured import entry_names
from zsadbench.engine.evaluate.finishing import finished_scores
from zsadbench.engine.run import run_plan
from zsadbench.errors import CellError
from zsadbench.metrics import image_metrics
from zsadbench.records import read_images, read_record
from zsadbench.types import Scores, Transductive

STEP = "scaled:maxima"
NO_ROW = (
    "scaled,",
    "scaled (",
    'scaled"]',
    "scaled</dt",
    'scaled":{',  # what the page says of methods, not of rows
    'scaled","venue',
    'scaled","tag',  # the key of the method, beside the name of the row
    "scaledzscite",
    "scaled|",
    "scaledtextbar",
)  # of protocol, reference, signature


@pytest.fixture
def made(planned):
    """`made(protocol)`: path and record of the example on a miniature of MVTec AD."""

    def make(protocol, **changes):
        results = run_plan(planned("scaled", protocol=protocol, targets=("mvtec",), aux=None, **changes))
        assert results.failures == []
        return results.records[0]

    return make


def test_strict_leaves_it_off_and_the_parts_stay(made):
    path, record = made("strict")
    images = read_images(path)
    assert "transductive" not in record.cell
    assert "transductive" not in record.signature
    assert np.allclose(images["score"], images["part_class_token"])
    assert images["part_map_max"].between(0, 1).all()


def test_the_papers_protocol_takes_it_class_by_class(made):
    strict, (path, record) = read_images(made("strict")[0]), made("paper:scaled")
    images = read_images(path)
    pd.testing.assert_series_equal(images["part_map_max"], strict["part_map_max"])
    for name, rows in images.groupby("class"):
        maxima = rows["part_map_max"]
        expected = (rows["part_class_token"] + (maxima - maxima.min()) / (maxima.max() - maxima.min())) / 2
        assert np.allclose(rows["score"], expected, atol=1e-6)
        found = image_metrics(rows["score"].to_numpy(), rows["label"].to_numpy())
        assert record.classes[name]["image_auroc"] == found["auroc"].value
    assert record.cell["transductive"] == STEP
    assert "|transductive|" in record.signature
    assert not np.allclose(images["score"], strict["score"])


def test_details_and_pooled_metrics_are_of_the_finished_scores(made):
    path, record = made("paper:scaled", metrics=("image_auroc@pooled",))
    images, spread = read_images(path), np.load(next(path.parent.glob(f"{path.stem}*.npz")))
    pooled = image_metrics(images["score"].to_numpy(), images["label"].to_numpy())["auroc"].value
    assert record.pooled["image_auroc@pooled"]["value"] == pooled
    kept = [spread[key] for key in spread.files if key.endswith("scores")]
    assert sorted(np.concatenate(kept)) == pytest.approx(sorted(images["score"]), abs=1e-6)


def test_pixels_are_not_changed(made):
    strict, finished = made("strict")[1], made("paper:scaled")[1]
    for name, values in strict.classes.items():
        assert {key: value for key, value in values.items() if key.startswith("pixel")} == {
            key: value for key, value in finished.classes[name].items() if key.startswith("pixel")
        }


def test_every_table_marks_the_row(made, make_board, tmp_path):
    from zsadbench.cli.tables.results import remarks, table_rows
    from zsadbench.compare.groups import groups
    from zsadbench.records import tidy

    path, record = made("paper:scaled")
    assert entry_names([record.cell]) == ["scaled [transductive]"]
    assert entry_names([made("strict")[1].cell]) == ["scaled"]
    assert all(row[0] == "scaled, transductive" for row in table_rows([record], ["image_auroc"]))
    assert f"transductive: image scores use all test images of a class ({STEP})" in remarks(record)
    (group,) = groups(make_board([record]))
    assert group.entries == ["scaled [transductive]"]
    assert any(note.startswith("transductive: image scores use statistics") for note in group.notes)
    assert read_record(path).cell == record.cell
    assert len(tidy([(path, record)]))


@pytest.mark.parametrize("form", ["markdown", "latex", "html", "csv"])
def test_every_report_marks_the_row(made, form, tmp_path):
    from zsadbench.compare import board_of
    from zsadbench.registry import load

    path, _ = made("paper:scaled")
    board = board_of(path.parents[2])
    out = tmp_path / "out"
    out.mkdir()
    load("reports", form).write(board, out, None)
    texts = [
        file.read_text() for file in (tmp_path / "out").rglob("*") if file.suffix in {".md", ".tex", ".html", ".csv"}
    ]
    assert any("scaled" in text for text in texts)
    for text in texts:
        for line in text.splitlines():
            for found in re.finditer(r"(?<![\w/:-])scaled(?![\w:])", line):
                ahead = line[found.start() : found.start() + 40].replace("\\", "")
                assert ahead.startswith(("scaled [transductive]", *NO_ROW)), line[found.start() - 40 :][:90]


def test_a_table_of_a_paper_marks_the_row(made):
    from zsadbench.reproduce.tables import mark_of

    _, record = made("paper:scaled")
    assert mark_of(SimpleNamespace(jobs=[SimpleNamespace(cell=record.cell)])) == " [transductive]"
    assert mark_of(SimpleNamespace(jobs=[SimpleNamespace(cell=made("strict")[1].cell)])) == ""


def test_it_is_another_record(planned):
    strict, finished = (planned("scaled", protocol=name).jobs[0] for name in ("strict", "paper:scaled"))
    assert strict.path != finished.path
    (other,) = planned("scaled", methods=("clip",), protocol="paper:scaled").jobs
    assert "transductive" not in other.cell, "a method without a step has no mark under any protocol"


def test_a_threshold_of_the_auxiliary_set_is_of_finished_scores(planned, monkeypatch):
    from zsadbench.engine.evaluate import thresholds

    found = []
    monkeypatch.setattr(thresholds, "best_threshold", lambda scores, labels: found.append(scores) or 0.5)
    results = run_plan(planned("scaled", protocol="paper:scaled", metrics=("image_f1@aux",)))
    assert results.failures == []
    assert max(found[0]) > 0.7 > max(s for s in found[0] if s < max(found[0])) or len(set(found[0])) == len(found[0])


FAULTS = {
    "it fails": (lambda parts: parts["nothing"], "KeyError"),
    "one number": (lambda parts: parts["a"].sum(), "wanted are image scores of the shape (3)"),
    "no number": (lambda parts: np.full(3, np.nan), "NaN or infinite"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_step_that_is_wrong_costs_its_class(case):
    finish, message = FAULTS[case]
    with pytest.raises(CellError) as raised:
        finished_scores(Transductive("step", "", ("a",), finish), {"a": np.arange(3.0)})
    assert message in str(raised.value)


class Honest:
    """Scores of an image by itself, with a memory that nobody asked for."""

    def __init__(self):
        self.low, self.high, self.count = np.inf, -np.inf, 0

    def score(self, values):
        return Scores(values, values[:, None, None].expand(-1, 2, 2))


class WithinBatch(Honest):
    def score(self, values):
        scaled = (values - values.min()) / (values.max() - values.min() + 1)
        return Scores(scaled, super().score(values).pixel)


class Running(Honest):
    def score(self, values):
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        return Scores((values - self.low) / (self.high - self.low + 1), super().score(values).pixel)


class ByPlace(Honest):
    def score(self, values):
        return Scores(values, super().score(values).pixel + 1e-3 * torch.arange(len(values))[:, None, None])


class ByCount(Honest):
    def score(self, values):
        self.count += len(values)
        return Scores(values + 1e-4 * self.count, super().score(values).pixel)


@pytest.mark.parametrize(
    ("kind", "honest"), [(Honest, True), *((k, False) for k in (WithinBatch, Running, ByPlace, ByCount))]
)
def test_undeclared_use_of_other_images_is_found(influence, kind, honest):
    values = torch.tensor([0.2, 0.9, 0.5])
    found = influence(kind, lambda detector, rows: list(detector.score(values[rows])))
    assert (found <= 1e-5) == honest


def test_the_step_of_aprilgan_belongs_to_its_few_shot_form(planned):
    plan = planned(
        "scaled", methods=("aprilgan",), targets=("mvtec",), protocol="paper:aprilgan", shots=(0, 1), aux="none"
    )
    zero, one = plan.jobs
    assert "transductive" not in zero.cell
    assert one.cell["transductive"] == "aprilgan:map-maxima-scaled"
    strict = planned("scaled", methods=("aprilgan",), targets=("mvtec",), shots=(1,), aux="none").jobs[0]
    assert "transductive" not in strict.cell
    results = run_plan(replace(plan, jobs=plan.jobs[1:]))
    assert results.failures == []
    path, _ = results.records[0]
    for _, rows in read_images(path).groupby("class"):
        ordered = rows.sort_values("part_map_max")
        gaps = ordered["score"] - 0.5 * ordered["part_class_token"]
        assert all(low <= high + 1e-6 for low, high in pairwise(gaps))
        assert gaps.max() == pytest.approx(0.5, abs=1e-5)
