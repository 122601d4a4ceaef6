"""Several methods on one encoding give the same bytes as each method alone."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from zsadbench.clip.towers import VisionTower
from zsadbench.clip.union import join, pick, unite
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.sharing import EXACT_BYTES, STREAM_BYTES, group_jobs, memory_chunks
from zsadbench.engine.run import run_plan
from zsadbench.types import Taps

THREE = ("fbclip", "anomalyclip", "afclip")
UNTRAINED = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid")}


@pytest.fixture
def deep(backbone_file):
    """The path of an architecture of 24 blocks, in which all taps are different blocks."""
    return str(backbone_file())


@pytest.fixture
def run(request_for):
    """`run(**changes)` runs the request of `request_for` at 28 px."""
    return lambda **changes: run_plan(make_plan(request_for(**{"image_size": 28, **changes})))


@pytest.fixture
def encoded(monkeypatch):
    """The number of images of every call of the image encoder."""
    sizes = []
    forward = VisionTower.forward

    def counting(self, images, *rest):
        sizes.append(len(images))
        return forward(self, images, *rest)

    monkeypatch.setattr(VisionTower, "forward", counting)
    return sizes


def classes_of(results):
    """Return the `classes` of every record as JSON, by method."""
    assert not results.failures
    return {path.parent.name: json.dumps(json.loads(path.read_text())["classes"]) for path, _ in results.records}


def scores_of(results):
    """Return the image scores of every record, by method."""
    return {path.parent.name: pd.read_parquet(path.with_suffix(".parquet"))["score"] for path, _ in results.records}


def test_methods_give_together_what_each_gives_alone(run, deep, tmp_path, encoded):
    request = {**UNTRAINED, "backbone": deep}
    together = run(**request, methods=THREE)
    assert sum(encoded) == 8, "two classes of four images, each encoded once"
    alone = [run(**request, methods=(name,), out=tmp_path / name) for name in THREE]
    for results, name in zip(alone, THREE, strict=True):
        assert classes_of(results)[name] == classes_of(together)[name]
        assert scores_of(results)[name].tolist() == scores_of(together)[name].tolist()
        assert json.loads(results.records[0][0].read_text())["cost"]["shared"] is False
    assert all(json.loads(path.read_text())["cost"]["shared"] is True for path, _ in together.records)


def test_records_come_in_the_order_of_the_plan(run, request_for, deep):
    request = {"aux": "none", "epochs": None, "targets": ("colondb", "brainmri"), "backbone": deep, "methods": THREE}
    plan = make_plan(request_for(**request, image_size=28))
    assert [[job.setup.name for job in group] for group in group_jobs(plan.jobs)] == [list(THREE), list(THREE)]
    assert [path for path, _ in run_plan(plan).records] == [job.path for job in plan.jobs]


@pytest.mark.parametrize("order", [THREE, THREE[::-1]])
def test_palette_and_rgba_images_score_the_same_together_and_alone(run, mini, deep, tmp_path, order):
    copy = tmp_path / "data"
    shutil.copytree(mini / "brainmri", copy / "brainmri")
    files = sorted(path for path in (copy / "brainmri").rglob("*") if path.suffix in {".jpg", ".png"})
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 4), dtype=np.uint8)
    for file, mode in zip(files, ("P", "RGBA"), strict=False):
        Image.fromarray(noise).convert(mode).save(file, format="PNG")
    request = {"data_roots": (copy,), "backbone": deep, "aux": "none", "epochs": None}
    for protocol in ("strict", "paper:fbclip"):
        together = run(**request, methods=order, protocol=protocol, out=tmp_path / protocol / "all")
        for name in order:
            alone = run(**request, methods=(name,), protocol=protocol, out=tmp_path / protocol / name)
            assert scores_of(alone)[name].tolist() == scores_of(together)[name].tolist()


def test_methods_with_other_towers_do_not_share(request_for, deep):
    request = {**UNTRAINED, "backbone": deep, "methods": ("fbclip", "afclip")}
    for option in ("position=bicubic", "activation=gelu"):
        plan = make_plan(request_for(**request, options=(f"afclip.{option}",)))
        assert len(group_jobs(plan.jobs)) == 2
    same = make_plan(request_for(**request, options=("afclip.activation=quick_gelu",)))
    assert len(group_jobs(same.jobs)) == 1, "the activation of the weights"


def test_seeds_of_a_method_share(run, deep, encoded):
    results = run(methods=("fbclip",), seeds=(0, 1), backbone=deep, epochs=1)
    assert not results.failures
    assert [record.cost["shared"] for _, record in results.records] == [True, True]
    trained = sum(record.cost["tokens_encoded"] for _, record in results.records)
    assert sum(encoded) == trained + 6, "six images of the target"


def test_a_head_that_fails_loses_its_class_alone(run, deep, monkeypatch):
    from zsadbench_methods.afclip.model import AFCLIP

    scored = AFCLIP.score

    def with_nan(self, tokens, class_names):
        scores = scored(self, tokens, class_names)
        if class_names[0] == "grid":
            scores.image[0] = torch.nan
        return scores

    request = {**UNTRAINED, "backbone": deep, "methods": THREE}
    monkeypatch.setattr(AFCLIP, "score", with_nan)
    results = run(**request)
    (message,) = results.failures
    assert "afclip on mvtec" in message
    assert (results.finished, results.failed) == (2, 1)
    done = {path.parent.name: list(record.classes) for path, record in results.records}
    assert done == {"fbclip": ["bottle", "grid"], "anomalyclip": ["bottle", "grid"], "afclip": ["bottle"]}
    monkeypatch.setattr(AFCLIP, "score", scored)
    again = run(**request)
    assert (again.finished, again.skipped) == (1, 2)
    record = json.loads(next(path for path, _ in again.records if path.parent.name == "afclip").read_text())
    assert list(record["classes"]) == ["bottle", "grid"]
    assert record["cost"]["shared"] is True, "one of its classes shared its encoding"


def test_an_image_that_cannot_be_read_fails_every_method(run, mini, deep, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(mini / "mvtec", copy / "mvtec")
    next((copy / "mvtec" / "grid" / "test" / "good").glob("*.png")).write_bytes(b"no image")
    results = run(**UNTRAINED, backbone=deep, methods=THREE, data_roots=(copy,))
    assert len(results.failures) == results.failed == 3
    assert all(list(record.classes) == ["bottle"] for _, record in results.records)


def test_union_and_pick_are_bit_exact(tiny_backbone, tiny_images):
    several = [Taps((1, 6, 24)), Taps((24,), value_blocks=(6, 24)), Taps((6, 12), colours=True)]
    united = unite(several, 24)
    assert (united.blocks, united.value_blocks, united.colours) == ((1, 6, 12, 24), (6, 24), True)
    whole = tiny_backbone.vision(tiny_images, united)
    for taps in several:
        picked, alone = pick(whole, united, taps), tiny_backbone.vision(tiny_images, taps)
        for ours, theirs in zip(
            (*picked.layers, *picked.value_layers), (*alone.layers, *alone.value_layers), strict=True
        ):
            assert torch.equal(ours, theirs)
        assert (picked.colours is None) == (alone.colours is None)


def test_taps_that_one_encoding_cannot_give_are_not_united():
    assert (
        unite([Taps((24,), value_blocks=(24,), value_from=6), Taps((), value_blocks=(24,), value_from=7)], 24) is None
    )
    assert unite([Taps((23,)), Taps((24,))], 12) is None, "both are the last block"
    assert unite([Taps((24,), value_from=6), Taps((), value_blocks=(24,), value_from=7)], 24).value_from == 7


def test_joined_batches_are_one(tiny_backbone, tiny_images):
    taps = Taps((6, 24), value_blocks=(24,), colours=True)
    parts = [tiny_backbone.vision(images, taps) for images in tiny_images.split(1)]
    whole = join(parts)
    assert whole.grid == parts[0].grid
    assert torch.equal(whole.layers[1][2], parts[2].layers[1][0])
    assert torch.equal(whole.value_layers[0][1], parts[1].value_layers[0][0])
    assert torch.equal(whole.colours[0], parts[0].colours[0])


def test_heads_are_split_where_their_metrics_would_not_fit():
    heads = list(range(9))
    assert [list(chunk) for chunk in memory_chunks(heads, 0)] == [heads]
    assert [len(chunk) for chunk in memory_chunks(heads, EXACT_BYTES // 16)] == [4, 4, 1]
    assert max(len(chunk) for chunk in memory_chunks(heads, 2 * EXACT_BYTES)) == EXACT_BYTES // STREAM_BYTES
