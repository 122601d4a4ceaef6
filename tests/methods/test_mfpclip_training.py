"""MFP-CLIP learns where defects are, from images and not from positions; every trained part gets a gradient."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from zsadbench.clip import build, resolve
from zsadbench.engine.learn.loop import make_optimiser, set_learning_rate
from zsadbench.registry import method_card
from zsadbench.types import Batch

CARD = method_card("mfpclip")
SIZE, STEPS = 120, 10  # with more steps the eight images are learned by heart, with any masks
NAMES = ("cork board",) * 8


@pytest.fixture(scope="module")
def backbone():
    return build(resolve("demo", "demo"), SIZE, activation="gelu", position="bicubic_antialias")


@pytest.fixture(scope="module")
def images_and_masks():
    """Eight images of smooth noise; each has one square of coarse noise, at a place of its own."""
    generator = np.random.default_rng(3)
    images, masks = 0.15 * generator.normal(size=(8, 3, SIZE, SIZE)), np.zeros((8, SIZE, SIZE))
    for number in range(8):
        top, left = 10 + 60 * (number // 4), 2 + 29 * (number % 4)
        images[number, :, top : top + 26, left : left + 26] += 1.5 * generator.normal(size=(3, 26, 26))
        masks[number, top : top + 26, left : left + 26] = 1
    return torch.tensor(images, dtype=torch.float32), torch.tensor(masks, dtype=torch.float32)


def trained(backbone, images, masks):
    """Maps of the eight images after training on them as one batch, with the learning rate of the first epoch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        detector = CARD.build(backbone, CARD.options())
    optimiser = make_optimiser(detector, CARD.recipe)
    batch = Batch(images, masks, torch.ones(8, dtype=torch.int64), NAMES)
    for _ in range(STEPS):
        loss = sum(detector.loss(detector.encode(images, NAMES), batch).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return detector.score(detector.encode(images, NAMES), NAMES).pixel


def auroc(maps, masks):
    return roc_auc_score(masks.flatten().numpy(), maps.flatten().numpy())


def test_it_learns_eight_images_and_not_the_places_of_their_defects(backbone, images_and_masks):
    images, masks = images_and_masks
    maps = trained(backbone, images, masks)
    assert auroc(maps, masks) > 0.95
    assert auroc(maps, masks.roll(5, 0)) <= 0.6


def test_nothing_is_learned_from_masks_of_other_images(backbone, images_and_masks):
    images, masks = images_and_masks
    permuted = masks.roll(5, 0)
    assert auroc(trained(backbone, images, permuted), permuted) <= 0.6


@pytest.mark.parametrize("options", [{}, {"resnet_trained": True}, {"mp_shared": False, "sp_shared": False}], ids=str)
def test_every_trained_part_gets_a_gradient(backbone, images_and_masks, options):
    images, masks = (tensor[:2] for tensor in images_and_masks)
    detector = CARD.build(backbone, CARD.options(identity_start=False, **options))
    before = [one.clone() for one in backbone.vision.parameters()]
    batch = Batch(images, masks, torch.tensor([1, 0]), NAMES[:2])
    sum(detector.loss(detector.encode(images, NAMES[:2]), batch).values()).backward()
    without = {
        key
        for key, one in detector.network.named_parameters()
        if one.requires_grad and (one.grad is None or not one.grad.isfinite().all() or not one.grad.any())
    }
    in_zero_branch = {key for key in without if key.startswith("resnet.") and ".bn3." not in key}
    assert without == in_zero_branch, "random residual branches end in a norm of weight zero"
    assert bool(in_zero_branch) == options.get("resnet_trained", False)
    assert all(torch.equal(one, other) for one, other in zip(backbone.vision.parameters(), before, strict=True))


def test_the_learning_rate_of_an_epoch():
    optimiser = SimpleNamespace(param_groups=[{"lr": 1.0}])
    rates = []
    for epoch in range(3):
        set_learning_rate(optimiser, CARD.recipe, epoch=epoch)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-3, 5e-4, 1e-3 / 3])
    constant = method_card("fbclip").recipe
    set_learning_rate(optimiser, constant, epoch=7)
    assert optimiser.param_groups[0]["lr"] == rates[-1], "a recipe without a schedule leaves it alone"
