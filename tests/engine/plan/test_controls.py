"""Permuted labels as a control of training, the recipe per auxiliary set, and the backbone of generated targets."""

from dataclasses import replace

import pytest

from zsadbench.clip import resolve
from zsadbench.data import load_dataset
from zsadbench.engine.learn.loop import permute_labels
from zsadbench.engine.plan.checks import with_backbone
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError
from zsadbench.registry import method_card


def test_masks_and_labels_are_permuted_together_and_images_stay(mini):
    manifest = load_dataset("mvtec", [mini], allow_partial=True).manifest
    permuted = permute_labels(manifest, 3)
    assert permuted["path"].tolist() == manifest["path"].tolist()
    pairs = [sorted(zip(frame["mask"].astype(str), frame["label"], strict=True)) for frame in (manifest, permuted)]
    assert pairs[0] == pairs[1]
    assert permuted["mask"].tolist() != manifest["mask"].tolist()
    assert permute_labels(manifest, 3).equals(permuted)
    assert not permute_labels(manifest, 4).equals(permuted)


def test_permuted_training_is_another_cell_another_checkpoint_and_not_comparable(record_of):
    plain = record_of()
    control = record_of(options=("recipe.permuted=true",))
    assert "permuted" not in plain["cell"]["recipe"]
    assert control["cell"]["recipe"]["permuted"] is True
    assert control["identity"] != plain["identity"]
    assert control["provenance"]["checkpoint_sha256"] != plain["provenance"]["checkpoint_sha256"]
    assert any("permuted" in reason for reason in control["not_comparable_because"])
    assert not any("permuted" in reason for reason in plain["not_comparable_because"])


def test_a_recipe_for_an_auxiliary_set_is_used_and_the_user_has_precedence():
    card = method_card("fbclip")
    card = replace(card, recipe=replace(card.recipe, on={"demo-aux": {"lr": 0.5, "batch": 7}}))
    plain = configure(card, (), ("fbclip",))
    assert (plain.recipe_on("demo-aux").lr, plain.recipe_on("demo-aux").batch) == (0.5, 7)
    assert plain.recipe_on("mvtec").lr == card.recipe.lr
    changed = configure(card, ("recipe.lr=0.25",), ("fbclip",))
    assert (changed.recipe_on("demo-aux").lr, changed.recipe_on("demo-aux").batch) == (0.25, 7)


@pytest.fixture
def no_backbone(monkeypatch):
    """An environment that names no backbone and no weights."""
    for name in ("ZSADBENCH_BACKBONE", "ZSADBENCH_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


def test_generated_targets_use_the_demo_backbone(no_backbone, tmp_path):
    (job,) = make_plan(RunRequest(("fbclip",), ("demo",), out=tmp_path)).jobs
    assert (job.cell["backbone"], job.cell["aux"]["name"]) == ("demo", "demo-aux")
    assert job.setup.image_size == resolve("demo", "demo").config.vision.image_size
    assert job.cell["recipe"]["lr"] == method_card("fbclip").recipe.on["demo-aux"]["lr"]


def test_other_targets_keep_clip(no_backbone):
    request = RunRequest(("clip",), ("visa",))
    assert with_backbone(request, ["visa"]) is request
    named = RunRequest(("clip",), ("demo",), backbone="ViT-B-16")
    assert with_backbone(named, ["demo"]) is named
    weighted = RunRequest(("clip",), ("demo",), weights="random")
    assert with_backbone(weighted, ["demo"]) is weighted


def test_generated_and_other_targets_do_not_mix_without_a_named_backbone(no_backbone):
    with pytest.raises(UsageError, match="generated targets use the backbone 'demo', others CLIP; run them apart"):
        with_backbone(RunRequest(("clip",), ("demo", "visa")), ["demo", "visa"])
