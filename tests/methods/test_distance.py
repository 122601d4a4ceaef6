"""The two controls without training: distance to the mean of the image."""

import numpy as np
import pytest
import torch

from zsadbench.registry import method_card
from zsadbench.types import Method, Trainable

NAMES = ["bolt", "metal nut", "bolt"]


def _score(name, backbone, images):
    card = method_card(name)
    method = card.build(backbone, card.options())
    assert isinstance(method, Method)
    assert not isinstance(method, Trainable)
    return method.score(backbone.vision(images, card.taps(card.options())), NAMES[: len(images)])


def test_tokens_lie_as_far_from_their_mean_as_numpy_says(tiny_backbone, tiny_images):
    card = method_card("token-distance")
    tokens = tiny_backbone.vision(tiny_images, card.taps(card.options())).layers[0][:, 1:].numpy()
    scores = _score("token-distance", tiny_backbone, tiny_images)
    for row, patches in enumerate(tokens):
        expected = np.sqrt(((patches - patches.mean(axis=0)) ** 2).sum(axis=1))
        assert scores.pixel[row].flatten().numpy() == pytest.approx(expected, abs=1e-4)
        assert float(scores.image[row]) == pytest.approx(expected.max(), abs=1e-4)


def test_colours_are_the_means_of_each_patch(tiny_backbone, tiny_images):
    patch = tiny_backbone.spec.config.vision.patch_size
    scores = _score("colour-distance", tiny_backbone, tiny_images)
    for row, image in enumerate(tiny_images):
        blocks = image.unfold(1, patch, patch).unfold(2, patch, patch).mean(dim=(3, 4))
        expected = (blocks - blocks.mean(dim=(1, 2), keepdim=True)).norm(dim=0)
        assert torch.allclose(scores.pixel[row], expected, atol=1e-5)


def test_colours_run_no_block_of_the_tower(tiny_backbone, tiny_images):
    card, runs = method_card("colour-distance"), []
    block = tiny_backbone.vision.visual.transformer.resblocks[0]
    hook = block.register_forward_pre_hook(lambda *_: runs.append(1))
    tokens = tiny_backbone.vision(tiny_images, card.taps(card.options()))
    hook.remove()
    assert not runs
    assert tokens.layers == ()


def test_the_odd_patch_stands_out(tiny_backbone, tiny_images):
    patch = tiny_backbone.spec.config.vision.patch_size
    flat = torch.zeros_like(tiny_images[:1])
    flat[:, :, patch : 2 * patch, :patch] = 3
    scores = _score("colour-distance", tiny_backbone, flat)
    assert scores.pixel[0].argmax() == scores.pixel.shape[-1]
