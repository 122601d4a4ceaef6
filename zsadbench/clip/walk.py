"""Walk through a frozen encoder step by step, for methods that work inside it.

    image:  X = [class token; patches] + positions;  X = LN_pre(X);  blocks 1 to depth;  LN_post(X) · projection
    text:   X = token embeddings + positions;                        blocks 1 to depth;  LN_final(X) · projection
    block:  x ← x + Attn(LN₁ x);  x ← x + MLP(LN₂ x)

Every step is a function of tokens, (batch, tokens, width); gradients pass through the frozen weights. A method may
change the tokens between two steps: insert or replace tokens, leave some out, mix in the output of an adapter, or run a
block of its own from `Block.norm`, `Block.heads`, `Block.attend` and `Block.mlp`. Weights, activation and positional
table are those of the backbone, which a method chooses with its `Taps`. Blocks count from 1; `zsadbench.clip.map_taps`
maps published block numbers to a tower of another depth.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zsadbench.clip.attention import attend, project_heads

Hook = Callable[[int, Tensor], Tensor]  # number of the block and tokens → tokens


class Heads(NamedTuple):
    """Queries, keys and values of one attention, (batch, heads, tokens, head width) each."""

    q: Tensor
    k: Tensor
    v: Tensor


class Block:
    """One residual attention block of an encoder; a call runs it whole."""

    def __init__(self, block: Any) -> None:
        self._block = block

    def norm(self, tokens: Tensor) -> Tensor:
        """Compute `LN₁(tokens)`, which queries, keys and values are computed of."""
        normed: Tensor = self._block.ln_1(tokens)
        return normed

    def heads(self, tokens: Tensor) -> Heads:
        """Compute queries, keys and values of `LN₁(tokens)`."""
        return Heads(*project_heads(self._block.attn, self.norm(tokens)))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute `softmax(q·kᵀ/√d + mask)·v`, join the heads and apply the output layer: (batch, tokens, width)."""
        return attend(self._block.attn, q, k, v, mask)

    def mlp(self, tokens: Tensor) -> Tensor:
        """Compute `MLP(LN₂(tokens))`, without the residual path."""
        output: Tensor = self._block.mlp(self._block.ln_2(tokens))
        return output

    def __call__(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run the block; `mask`, (tokens, tokens), is added to the logits of the attention."""
        tokens = tokens + self.attend(*self.heads(tokens), mask)
        return tokens + self.mlp(tokens)


class Walk:
    """The blocks of one encoder; `depth` is their number and `width` that of a token."""

    def __init__(self, blocks: Any, width: int) -> None:
        self._blocks, self.depth, self.width = blocks, len(blocks), width

    def block(self, number: int) -> Block:
        """Return a block, counted from 1.

        Raises:
            IndexError: there is none of this number.
        """
        if not 1 <= number <= self.depth:
            raise IndexError(f"block {number} is none of the blocks 1 to {self.depth}")
        return Block(self._blocks[number - 1])

    def run(
        self,
        tokens: Tensor,
        first: int = 1,
        last: int | None = None,
        *,
        before: Hook | None = None,
        after: Hook | None = None,
        mask: Callable[[int], Tensor] | None = None,
    ) -> Tensor:
        """Run the blocks `first` to `last`, by default to the end.

        Args:
            tokens: (batch, tokens, width), before the block `first`.
            first: number of the first block.
            last: number of the last block.
            before: called before every block; the block runs on what it returns, with any number of tokens.
            after: called after every block; the next block runs on what it returns.
            mask: number of tokens → what is added to the logits of the attention, (tokens, tokens).
        """
        for number in range(first, (self.depth if last is None else last) + 1):
            tokens = tokens if before is None else before(number, tokens)
            tokens = self.block(number)(tokens, None if mask is None else mask(tokens.shape[1]))
            tokens = tokens if after is None else after(number, tokens)
        return tokens


class ImageWalk(Walk):
    """The image encoder; `grid` is the side of its square grid of patches.

    Args:
        visual: open_clip's image encoder.
        positions: the positional table at the size of the input, (1 + grid², width).
    """

    def __init__(self, visual: Any, positions: Tensor) -> None:
        super().__init__(visual.transformer.resblocks, positions.shape[1])
        self._visual, self._positions = visual, positions
        self.grid = isqrt(len(positions) - 1)

    def embed(self, images: Tensor) -> Tensor:
        """Embed images, (batch, 3, size, size) → (batch, 1 + grid², width), before the first norm.

        The class token comes first, then the patches in raster order; positions are added.
        """
        patches = self._visual.conv1(images).flatten(2).transpose(1, 2)  # (batch, grid², width)
        cls = self._visual.class_embedding.expand(len(images), 1, -1).to(patches.dtype)  # (batch, 1, width)
        return torch.cat([cls, patches], dim=1) + self._positions

    def first_norm(self, tokens: Tensor) -> Tensor:
        """Apply the norm before block 1."""
        normed: Tensor = self._visual.ln_pre(tokens)
        return normed

    def final_norm(self, tokens: Tensor) -> Tensor:
        """Apply the norm after the last block."""
        normed: Tensor = self._visual.ln_post(tokens)
        return normed

    def project(self, tokens: Tensor) -> Tensor:
        """Project normed tokens into the joint space, (…, width) → (…, joint)."""
        projected: Tensor = tokens @ self._visual.proj
        return projected


class TextWalk(Walk):
    """The text encoder.

    Args:
        text: the text tower, with `transformer`, `norm`, `projection` and `positional_embedding`.
        causal_mask: −∞ where a token may not attend, (context length, context length).
    """

    def __init__(self, text: Any, causal_mask: Tensor) -> None:
        super().__init__(text.transformer.resblocks, text.positional_embedding.shape[1])
        self._text, self._causal_mask = text, causal_mask

    def embed(self, embeddings: Tensor) -> Tensor:
        """Add positions to token embeddings (see `TextTower.embed`), (n, length, width)."""
        embedded: Tensor = embeddings + self._text.positional_embedding[: embeddings.shape[1]]
        return embedded

    def causal_mask(self, length: int) -> Tensor:
        """Return the mask by which a token attends only to itself and the tokens before it, (length, length)."""
        return self._causal_mask[:length, :length]

    def final_norm(self, states: Tensor) -> Tensor:
        """Apply the norm after the last block."""
        normed: Tensor = self._text.norm(states)
        return normed

    def project(self, states: Tensor) -> Tensor:
        """Project normed states of end tokens into the joint space, (n, width) → (n, joint)."""
        projected: Tensor = states @ self._text.projection
        return projected
