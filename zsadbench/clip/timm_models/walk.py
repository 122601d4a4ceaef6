"""Walk through an image encoder of timm step by step, for methods that work inside it.

    X = [class token; registers; patches] + positions;  X = first norm(X), where there is one;  blocks 1 to depth
    block:  x ← x + γ₁ · Attn(LN₁ x);  x ← x + γ₂ · MLP(LN₂ x)

LayerScale (γ₁ and γ₂), rotary embeddings and gated MLPs are inside timm's blocks, which run whole.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zsadbench.clip.walk import Hook


def run_timm_block(block: Any, tokens: Tensor, rotation: Tensor | None = None) -> Tensor:
    """Run one block, (batch, tokens, width); `rotation` is the rotary embedding of the patches."""
    output: Tensor = block(tokens) if rotation is None else block(tokens, rope=rotation)
    return output


class TimmWalk:
    """The image encoder; `depth` is the number of blocks, `width` that of a token, `prefix` the tokens before patches.

    Args:
        trunk: timm's model.
        positions: the positional table at the size of the input, (prefix + patches, width) or (patches, width).
        rotations: the rotary embedding of the patches, of every block where it has an axis more.
    """

    def __init__(self, trunk: Any, positions: Tensor | None, rotations: Tensor | None) -> None:
        self._trunk, self._positions, self._rotations = trunk, positions, rotations
        self.depth, self.width, self.prefix = len(trunk.blocks), trunk.embed_dim, trunk.num_prefix_tokens

    def embed(self, images: Tensor) -> Tensor:
        """Embed images, (batch, 3, height, width) → (batch, prefix + patches, width), before the first norm.

        The class token comes first, then registers, then the patches in raster order; positions are added.
        """
        stem, positions = self._trunk.patch_embed, self._positions
        patches = stem.norm(stem.proj(images).flatten(2).transpose(1, 2))  # (batch, patches, width)
        first = [token for token in (self._trunk.cls_token, self._trunk.reg_token) if token is not None]
        prefix = [token.expand(len(images), -1, -1).to(patches.dtype) for token in first]
        if positions is None:
            return torch.cat([*prefix, patches], dim=1)
        if len(positions) == patches.shape[1]:
            return torch.cat([*(token.float() for token in prefix), patches + positions], dim=1)
        return torch.cat([*prefix, patches], dim=1) + positions

    def first_norm(self, tokens: Tensor) -> Tensor:
        """Apply the norm before block 1, where there is one."""
        normed: Tensor = self._trunk.norm_pre(tokens)
        return normed

    def rotation(self, number: int) -> Tensor | None:
        """Return the rotary embedding of a block, counted from 1; None where there is none."""
        several = self._rotations is not None and getattr(self._trunk, "rope_mixed", False)
        return self._rotations[number - 1] if several and self._rotations is not None else self._rotations

    def run(
        self,
        tokens: Tensor,
        first: int = 1,
        last: int | None = None,
        *,
        before: Hook | None = None,
        after: Hook | None = None,
    ) -> Tensor:
        """Run the blocks `first` to `last`, by default to the end.

        Args:
            tokens: (batch, tokens, width), before the block `first`.
            first: number of the first block.
            last: number of the last block.
            before: called before every block; the block runs on what it returns.
            after: called after every block; the next block runs on what it returns.
        """
        for number in range(first, (self.depth if last is None else last) + 1):
            tokens = tokens if before is None else before(number, tokens)
            tokens = run_timm_block(self._trunk.blocks[number - 1], tokens, self.rotation(number))
            tokens = tokens if after is None else after(number, tokens)
        return tokens
