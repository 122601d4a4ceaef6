"""Both encoders with prompts: appended to the patches of an image, and in place of the first words of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench.clip.walk import ImageWalk, TextWalk

TEXT_FIRST = 2  # the first text block that takes prompts in: nothing is replaced before block 1


def round_half(prompts: Tensor, like: Tensor, *, rounded: bool) -> Tensor:
    """Round prompts to half precision and back to the type of the tokens; gradients are rounded as well."""
    return (prompts.half() if rounded else prompts).to(like.dtype)


def project(walk: ImageWalk | TextWalk, states: Tensor) -> Tensor:
    """Apply the final norm and the projection in single precision: (n, width) → (n, joint)."""
    with single_precision(states):
        return walk.project(walk.final_norm(states.float()))


def encode_image(
    walk: ImageWalk, normed: Tensor, prompts: Sequence[Tensor], blocks: Sequence[int], *, rounded: bool
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Encode images; before block b + 1, `prompts[b]` is appended in place of the prompts of the block before.

    The prompts of the last of these blocks stay in the sequence to the end.

    Args:
        walk: the image encoder.
        normed: (batch, 1 + grid², width), embedded images after the first norm.
        prompts: (batch, length, width) each.
        blocks: the blocks after which tokens are kept.
        rounded: whether prompts are rounded to half precision.

    Returns:
        Per kept block (batch, 1 + grid², width), prompts removed; and the projected class token, (batch, joint).
    """
    own, layers = normed.shape[1], []

    def append(number: int, tokens: Tensor) -> Tensor:
        if number > len(prompts):
            return tokens
        return torch.cat([tokens[:, :own], round_half(prompts[number - 1], tokens, rounded=rounded)], dim=1)

    def keep(number: int, tokens: Tensor) -> Tensor:
        if number in blocks:
            layers.append(tokens[:, :own].float())
        return tokens

    tokens = walk.run(normed, before=append, after=keep)
    return tuple(layers), project(walk, tokens[:, 0])


def encode_sentences(text: TextTower, ids: Tensor, prompts: Sequence[Tensor], batch: int, *, rounded: bool) -> Tensor:
    """Encode the same sentences for every image: before block b + 1, `prompts[b]` replaces the tokens 1 to length.

    `prompts[0]` is not used: nothing is replaced before block 1.

    Args:
        text: the text tower.
        ids: int64 (n, tokens), up to the last end token at least.
        prompts: (batch, length, width) each.
        batch: images.
        rounded: whether prompts are rounded to half precision, separately for each sentence.

    Returns:
        (batch, n, joint), not normalised.
    """
    walk, count = text.walk, len(ids)

    def overwrite(number: int, states: Tensor) -> Tensor:
        if not TEXT_FIRST <= number <= len(prompts):
            return states
        each = prompts[number - 1].repeat_interleave(count, dim=0)  # (batch · n, length, width)
        inserted = round_half(each, states, rounded=rounded)
        return torch.cat([states[:, :1], inserted, states[:, 1 + inserted.shape[1] :]], dim=1)

    states = walk.embed(text.embed(ids)).repeat(batch, 1, 1)  # (batch · n, tokens, width)
    states = walk.run(states, before=overwrite, mask=walk.causal_mask)
    ends = ids.argmax(dim=1).repeat(batch)  # the end token has the largest id
    features = project(walk, states[torch.arange(len(states), device=ids.device), ends])
    return features.view(batch, count, -1)
