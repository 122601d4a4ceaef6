"""The masks that a method learns from follow the rule of its recipe."""

import numpy as np
import pytest
import torch
from PIL import Image

from zsadbench import registry
from zsadbench.data import batches, load_dataset
from zsadbench.engine.learn import loop
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan


@pytest.fixture
def rows(mini):
    """The manifest of colondb."""
    return load_dataset("colondb", [mini]).manifest


def published(path, size, rule):
    """The rule of the published code: non-zero values become 255; resized with Pillow; scaled to 0 to 1."""
    grey = np.asarray(Image.open(path).convert("L"))
    white = Image.fromarray(np.where(grey > 0, 255, 0).astype(np.uint8))
    return torch.from_numpy(np.array(white.resize((size, size), rule))).float() / 255


def test_both_rules_are_the_published_ones(rows):
    for rule, resampling in (("training", Image.Resampling.BILINEAR), ("training-grey", Image.Resampling.BICUBIC)):
        for loaded in batches(rows, size=42, masks=rule, batch_size=1, workers=0):
            expected = published(rows["mask"].iloc[loaded.rows[0]], 42, resampling)
            if rule == "training":
                expected = (expected > 0.5).float()
            else:
                assert ((expected > 0) & (expected < 1)).any(), "the two rules differ on these masks"
            assert torch.equal(torch.from_numpy(loaded.masks[0]).float(), expected)


def test_the_nearest_rule_is_the_published_one(rows):
    for loaded in batches(rows, size=42, masks="training-nearest", batch_size=1, workers=0):
        expected = published(rows["mask"].iloc[loaded.rows[0]], 42, Image.Resampling.NEAREST) != 0
        assert torch.equal(torch.from_numpy(loaded.masks[0]).bool(), expected)


def test_class_ids_count_as_anomalous(rows, tmp_path):
    copies = rows.copy()
    for row, path in enumerate(rows["mask"]):
        ids = (np.asarray(Image.open(path).convert("L")) > 0).astype(np.uint8) * 3
        copies.loc[row, "mask"] = str(tmp_path / f"{row}.png")
        Image.fromarray(ids).save(tmp_path / f"{row}.png")
    masks = (next(batches(manifest, size=42, masks="training-grey", workers=0)).masks for manifest in (rows, copies))
    assert np.array_equal(*masks)


def test_normal_images_have_masks_of_zeros_beside_grey_ones(mini):
    manifest = load_dataset("mvtec", [mini]).manifest
    (loaded,) = batches(manifest, size=42, masks="training-grey", batch_size=len(manifest), workers=0)
    assert loaded.masks.dtype == np.float32
    assert not loaded.masks[loaded.labels == 0].any()
    assert loaded.masks[loaded.labels == 1].reshape(loaded.labels.sum(), -1).max(axis=1).min() > 0.9


@pytest.mark.parametrize(
    ("method", "rule", "grey"),
    [
        ("fbclip", "nonzero-bilinear-half", False),
        ("anomalyclip", "nonzero-bilinear-half", False),
        ("afclip", "nonzero-bicubic-grey", True),
        ("aaclip", "nonzero-nearest", False),
    ],
)
def test_every_method_learns_from_the_masks_of_its_recipe(request_for, monkeypatch, method, rule, grey):
    learned, as_batch = [], loop.as_batch
    monkeypatch.setattr(loop, "as_batch", lambda *arguments: learned.append(as_batch(*arguments)) or learned[-1])
    plan = make_plan(request_for(methods=(method,)))
    assert registry.method_card(method).recipe.mask == plan.jobs[0].cell["recipe"]["mask"] == rule
    assert not run_plan(plan).failures
    masks = torch.cat([batch.masks for batch in learned])
    assert bool(((masks > 0) & (masks < 1)).any()) is grey
