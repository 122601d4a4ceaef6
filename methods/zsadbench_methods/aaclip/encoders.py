"""Both encoders with residual adapters after their first blocks, and the image encoder with value-value attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm

from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench.clip.walk import Hook, ImageWalk


def leaky_linear(inputs: int, outputs: int) -> nn.Sequential:
    """Make a linear layer without bias and a leaky ReLU of slope 0.01, initialised from Xavier's uniform rule."""
    return nn.Sequential(plain_linear(inputs, outputs), nn.LeakyReLU())


def plain_linear(inputs: int, outputs: int) -> nn.Linear:
    """Make a linear layer without bias, initialised from Xavier's uniform rule."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def adapt(tokens: Tensor, adapter: Callable[[Tensor], Tensor], share: float) -> Tensor:
    """Mix every token with its adapted form at the same length: `w·A(x)·|x| / |A(x)| + (1 − w)·x`."""
    with single_precision(tokens):
        tokens = tokens.float()
        adapted = adapter(tokens)
        lengths = vector_norm(tokens, dim=-1, keepdim=True) / vector_norm(adapted, dim=-1, keepdim=True)
        mixed: Tensor = share * adapted * lengths + (1 - share) * tokens
        return mixed


def adapting(adapters: Sequence[Callable[[Tensor], Tensor]], share: float) -> Hook:
    """Return what applies the adapter of every block to its output; blocks after the last adapter have none."""
    return lambda number, tokens: adapt(tokens, adapters[number - 1], share) if number <= len(adapters) else tokens


def encode_image(
    walk: ImageWalk, images: Tensor, adapters: Sequence[Callable[[Tensor], Tensor]], share: float, keep: Sequence[int]
) -> tuple[Tensor, ...]:
    """Encode images and keep the tokens after the blocks `keep`, after their adapter: (batch, 1 + grid², width) each.

    The class token is adapted as well.
    """
    kept, after = [], adapting(adapters, share)

    def adapt_and_keep(number: int, tokens: Tensor) -> Tensor:
        tokens = after(number, tokens)
        if number in keep:
            kept.append(tokens.float())
        return tokens

    walk.run(walk.first_norm(walk.embed(images)), after=adapt_and_keep)
    return tuple(kept)


def encode_with_values(
    walk: ImageWalk, images: Tensor, first: int, keep: Sequence[int], *, across_batch: bool
) -> tuple[Tensor, ...]:
    """Encode images with value-value attention, softmax(v·vᵀ/√d)·v, from block `first` on, in place of the usual one.

    With `across_batch`, a token attends to the tokens at the same position of all images, and to no other token of its
    own image: the published code exchanges both axes.
    """
    tokens, kept = walk.first_norm(walk.embed(images)), []
    for number in range(1, walk.depth + 1):
        block = walk.block(number)
        if number < first:
            tokens = block(tokens)
        else:
            seen = tokens.transpose(0, 1) if across_batch else tokens
            values = block.heads(seen).v
            attended = block.attend(values, values, values)
            tokens = tokens + (attended.transpose(0, 1) if across_batch else attended)
            tokens = tokens + block.mlp(tokens)
        if number in keep:
            kept.append(tokens.float())
    return tuple(kept)


def encode_sentences(
    text: TextTower, sentences: Sequence[str], adapters: Sequence[nn.Module], head: nn.Module, share: float
) -> Tensor:
    """Encode sentences with adapters; `head` takes the place of CLIP's projection. (n, joint), not normalised.

    Tokens after the last end token are left out: a causal encoder never attends to them.
    """
    walk, ids = text.walk, text.tokenize(sentences)
    ends = ids.argmax(dim=1)  # the end token has the largest id
    states = walk.embed(text.embed(ids[:, : int(ends.max()) + 1]))
    states = walk.final_norm(walk.run(states, after=adapting(list(adapters), share), mask=walk.causal_mask))
    features: Tensor = head(states[torch.arange(len(ids), device=ids.device), ends])
    return features
