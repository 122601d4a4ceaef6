"""The walk through both encoders: whole, it is the encoder; taken apart, it says what a method may change."""

import pytest
import torch

from zsadbench.types import Taps


@pytest.fixture(scope="module")
def walk(tiny_backbone):
    return tiny_backbone.vision.walk


@pytest.fixture(scope="module")
def start(walk, tiny_images):
    with torch.no_grad():
        return walk.first_norm(walk.embed(tiny_images))


def test_the_image_walk_is_the_image_encoder(tiny_backbone, tiny_images, walk, start):
    tapped = tiny_backbone.vision(tiny_images, Taps((6, 24)))
    sixth = walk.run(start, last=6)
    assert (walk.depth, walk.grid, walk.width) == (24, 5, 64)
    assert torch.equal(sixth, tapped.layers[0])
    assert torch.equal(walk.run(sixth, first=7), tapped.layers[1])
    joint = walk.project(walk.final_norm(tapped.layers[1]))
    assert torch.equal(joint, tiny_backbone.vision.norm(tapped.layers[1]) @ tiny_backbone.vision.projection)


def test_the_text_walk_is_the_text_encoder(tiny_backbone):
    text = tiny_backbone.text
    embeddings = text.embed(text.tokenize(["a photo of a bolt.", "a damaged nut"]))[:, :9]
    for causal in (True, False):
        mask = text.walk.causal_mask if causal else None
        states = text.walk.final_norm(text.walk.run(text.walk.embed(embeddings), mask=mask))
        assert torch.allclose(states, text(embeddings, causal=causal), atol=1e-5)
    assert torch.equal(text.walk.project(states[:, 3]), states[:, 3] @ text.projection)


def test_hooks_see_every_block_and_change_what_the_next_one_gets(walk, start):
    seen = []

    def insert(number, tokens):
        seen.append(("before", number, tokens.shape[1]))
        extra = torch.full((len(tokens), 2, walk.width), float(number))
        return torch.cat([tokens[:, :26], extra], dim=1) if number < 3 else tokens

    def shrink(number, tokens):
        seen.append(("after", number, tokens.shape[1]))
        return tokens[:, :26] if number == 4 else tokens

    tokens = walk.run(start, first=1, last=5, before=insert, after=shrink)
    assert tokens.shape == start.shape
    assert seen[:4] == [("before", 1, 26), ("after", 1, 28), ("before", 2, 28), ("after", 2, 28)]
    assert seen[-4:] == [("before", 4, 28), ("after", 4, 28), ("before", 5, 26), ("after", 5, 26)]
    by_hand = walk.block(1)(insert(1, start))
    by_hand = walk.block(4)(walk.block(3)(walk.block(2)(insert(2, by_hand))))
    assert torch.equal(tokens, walk.block(5)(by_hand[:, :26]))


def test_a_deep_text_prompt_is_a_hook(tiny_backbone):
    text = tiny_backbone.text
    embeddings = text.embed(text.tokenize(["a photo of a bolt.", "a damaged nut"]))[:, :9]
    prompts = torch.randn(2, 3, text.walk.width, generator=torch.Generator().manual_seed(0))

    def replace(number, tokens):
        return torch.cat([tokens[:, :1], prompts, tokens[:, 4:]], dim=1) if number == 2 else tokens

    walked = text.walk.run(text.walk.embed(embeddings), before=replace, mask=text.walk.causal_mask)
    assert torch.allclose(text.walk.final_norm(walked), text(embeddings, deep=[prompts]), atol=1e-5)


def test_a_block_in_parts_gives_the_value_value_path(tiny_backbone, tiny_images, walk, start):
    plain, value = start, start
    for number in range(1, 5):
        block = walk.block(number)
        q, k, v = block.heads(plain)
        value = value + block.attend(v, v, v)
        half = plain + block.attend(q, k, v)
        plain = half + block.mlp(half)
    tapped = tiny_backbone.vision(tiny_images, Taps((4,), value_blocks=(4,), value_from=1))
    assert torch.equal(plain, tapped.layers[0])
    assert torch.equal(value, tapped.value_layers[0])


def test_gradients_reach_what_is_between_blocks_and_no_weight(tiny_backbone, walk, start):
    adapter = torch.zeros(walk.width, walk.width, requires_grad=True)
    walk.run(start, after=lambda number, tokens: tokens + tokens @ adapter if number == 2 else tokens).sum().backward()
    assert adapter.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in tiny_backbone.vision.parameters())


@pytest.mark.parametrize("number", [0, 25, -1])
def test_there_are_no_other_blocks(walk, number):
    with pytest.raises(IndexError, match="none of the blocks 1 to 24"):
        walk.block(number)
