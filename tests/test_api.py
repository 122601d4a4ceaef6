"""What `import zsadbench` offers."""

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zsadbench
from zsadbench.data import synthesise
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError, UsageError, WeightsError
from zsadbench.saved_maps.request import ScoreRequest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    synthesise("brainmri", root, 2)
    return root


@pytest.fixture
def small(backbone_file):
    return str(backbone_file(vision={"layers": 12}))


def test_run_and_read_back(mini, small, tmp_path):
    results = zsadbench.run(
        "clip", ["brainmri"], backbone=small, weights="random", data_roots=[mini], out=tmp_path / "results"
    )
    assert results.finished == 1
    frame = results.frame()
    again = zsadbench.read_results(tmp_path / "results")
    assert frame.drop(columns="path").equals(again.drop(columns="path"))
    assert set(again.columns) >= {"method", "target", "class", "seed", "metric", "value"}


def test_run_refuses_arguments_it_does_not_have():
    with pytest.raises(UsageError, match="run\\(\\) takes no argument 'tragets'"):
        zsadbench.run(["clip"], ["visa"], tragets=1)


@pytest.mark.parametrize(("function", "request_class"), [("run", RunRequest), ("score", ScoreRequest)])
def test_editors_see_every_argument_with_its_type(function, request_class):
    parameters = inspect.signature(getattr(zsadbench, function)).parameters
    assert {field.name for field in fields(request_class)} <= parameters.keys()
    assert all(parameter.annotation not in {Any, parameter.empty} for parameter in parameters.values())
    assert not any(isinstance(parameter.annotation, str) for parameter in parameters.values())


TYPED = """
from pathlib import Path

import zsadbench

import pandas as pd


class Losses(zsadbench.Reporter):
    def images(self, count: int) -> None:
        print(count)


results = zsadbench.run("clip", ["visa"], seeds=0, shots=[1, 2], data_roots=["data", Path("more")], out="results")
finished: int = results.finished
frames: list[pd.DataFrame] = [results.frame(), results.table(), results.images()]
results.strip(4, method="clip", label=0).save("strip.png")
zsadbench.run("clip", "visa", reporter=[Losses()], progress=True)
data: zsadbench.Dataset = zsadbench.load_dataset("visa")
method: zsadbench.LoadedMethod = zsadbench.load_method("clip", device="cpu")
scores: zsadbench.Scores = method.predict("a.png")
shown: str = data._repr_html_() + results._repr_html_() + scores._repr_html_() + method._repr_html_()
zsadbench.run(["clip"], "visa", checkpoint="a.pth", precision="bf16", metrics="pixel_segf1", limit=1, reporter=None)
zsadbench.score("maps", "visa", method_name="other", seed=1, classes=["candle"], overwrite="always")
"""
MISTYPED = {
    'zsadbench.run("clip", "visa", tragets=1)': 'Unexpected keyword argument "tragets"',
    'zsadbench.run("clip")': 'Missing positional argument "targets"',
    'zsadbench.run("clip", "visa", precision="fp8")': 'Argument "precision" to "run" has incompatible type',
    'zsadbench.run("clip", "visa", limit="many")': 'Argument "limit" to "run" has incompatible type',
    'zsadbench.run("clip", "visa", progress="yes")': 'Argument "progress" to "run" has incompatible type',
    'zsadbench.run("clip", "visa", reporter=print)': 'Argument "reporter" to "run" has incompatible type',
    'results.strip("many")': 'Argument 1 to "strip" of "Results" has incompatible type',
    'zsadbench.score("maps")': 'Missing positional argument "target"',
}


def test_type_checkers_accept_right_calls_and_refuse_wrong_ones(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "calls.py").write_text("\n".join([TYPED, *MISTYPED]))
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--config-file", "pyproject.toml", tmp_path / "calls.py"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    errors = [line for line in lines if ": error: " in line]
    assert len(errors) == len(MISTYPED), lines
    for line, message in zip(errors, MISTYPED.values(), strict=True):
        assert message in line


def test_a_loaded_method_scores_ones_own_images(small, tmp_path):
    method = zsadbench.load_method("fbclip", backbone=small, weights="random", device="cpu", seed=3)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    picture.save(tmp_path / "one.png")
    scores = method.predict([picture, tmp_path / "one.png", np.asarray(picture)], class_name="bottle cap")
    assert scores.image.shape == (3,)
    assert scores.pixel.shape == (3, 28, 28)
    assert scores.image[0] == scores.image[1] == scores.image[2]
    assert (scores.pixel[0] == scores.pixel[1]).all()


def test_another_seed_is_another_untrained_method(small):
    picture = Image.new("RGB", (28, 28), "green")
    scores = [
        zsadbench.load_method("fbclip", backbone=small, weights="random", device="cpu", seed=seed).predict([picture])
        for seed in (0, 0, 1)
    ]
    assert scores[0].image == scores[1].image
    assert scores[0].image != scores[2].image


def test_a_checkpoint_must_be_there(small):
    with pytest.raises(WeightsError, match="is not a file"):
        zsadbench.load_method("fbclip", backbone=small, weights="random", checkpoint="nowhere.pth")


def test_load_dataset(mini):
    found = zsadbench.load_dataset("brainmri", root=mini)
    assert {"path", "mask", "label", "class", "defect", "split"} <= set(found.manifest.columns)
    assert sorted(found.manifest["label"].unique()) == [0, 1]


def test_metrics_are_there():
    assert zsadbench.metrics.image_auroc([0.1, 0.9], [0, 1]) == 1.0


def test_flags_of_the_command_line_serve_as_arguments(mini, small, tmp_path):
    settled = {"backbone": small, "weights": "random", "out": tmp_path / "results", "data_root": str(mini)}
    results = zsadbench.run("clip", "brainmri", **settled, metric="pixel_aupro@0.05", class_="brain", seed=0)
    assert results.finished == 1
    with pytest.raises(UsageError, match="was given 'data_roots' twice"):
        zsadbench.run("clip", "brainmri", **settled, data_roots=[mini])


def test_one_image_needs_no_list_and_what_is_none_is_refused(small, tmp_path):
    method = zsadbench.load_method("clip", backbone=small, weights="random", device="cpu")
    picture = Image.new("RGB", (28, 28), "green")
    picture.save(tmp_path / "one.png")
    pixels = np.asarray(picture)
    for single in (picture, tmp_path / "one.png", str(tmp_path / "one.png"), pixels, pixels[None]):
        assert method.predict(single).image.shape == (1,)
    empty, many, one, stack = (
        np.zeros(shape, dtype=np.uint8) for shape in ((0, 5, 3), (5, 5, 7), (5, 5, 1), (2, 5, 5))
    )
    for foreign in (pixels / 255, np.zeros(3, dtype=np.uint8), empty, many, one, stack):
        with pytest.raises(DataError, match=r"is no image; give uint8 \(height, width, 3\)"):
            method.predict([foreign])


def test_a_method_shows_its_facts_and_strips(small, tmp_path):
    method = zsadbench.load_method("clip", backbone=small, weights="random", device="cpu", options=["normal=a <b> {}"])
    facts = method.facts()
    assert facts["checkpoint"] == "none"
    assert facts["input"] == f"{method.setup.image_size} × {method.setup.image_size} pixels"
    shown = method._repr_html_()
    assert "a &lt;b&gt; {}" in shown
    assert "<b>" not in shown
    assert repr(method).startswith("<LoadedMethod clip on ")
    images = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    images[1].save(tmp_path / "green.png")
    strip = method.strip([images[0], tmp_path / "green.png", np.asarray(images[2])], number=2)
    scores = method.predict(images).image
    best = scores.argsort(descending=True)[:2].tolist()
    assert [int(caption.split(":")[0]) for caption in strip.captions] == best
    colours = [(255, 0, 0), (0, 128, 0), (0, 0, 255)]
    assert [picture.getpixel((5, 5)) for picture in strip.rows[0].pictures] == [colours[place] for place in best]
