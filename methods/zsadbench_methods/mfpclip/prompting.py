"""Prompts of an image for both encoders: tokens for its own patches (SP), and a feature for its sentences (I2TP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from zsadbench.clip.walk import ImageWalk
    from zsadbench_methods.mfpclip.options import Options


class Fuse(nn.Module):
    """A linear layer over two sequences of equal width, joined along channels or along tokens.

    It begins as the first sequence unchanged, [I | 0] without bias, or with random weights.
    """

    def __init__(self, first: int, second: int, *, along: int, identity: bool) -> None:
        super().__init__()
        self.along = along  # axis of (batch, tokens, width)
        linear = nn.Linear(first + second, first)
        if identity:
            with torch.no_grad():
                linear.weight.copy_(torch.eye(first, first + second))
                linear.bias.zero_()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Join and project: both (batch, tokens, width) → the shape of the first."""
        joined = torch.cat([first, second], dim=self.along)
        if self.along == 1:
            return nn.functional.linear(joined.transpose(1, 2), self.weight, self.bias).transpose(1, 2)
        return nn.functional.linear(joined, self.weight, self.bias)


class TextPrompting(nn.Module):
    """I2TP: the feature of the ResNet-50, mapped to the width of the text, changes the embeddings of every sentence."""

    def __init__(self, width: int, length: int, options: Options) -> None:
        super().__init__()
        source, self.by_channels = options.source_width, options.i2tp_axis == "channels"
        layers = [nn.Linear(source, width), nn.GELU(), nn.Linear(width, width)]
        self.mlp = nn.Sequential(*layers[: 1 if options.i2tp_map == "linear" else None])
        sizes = (width, width, 2) if self.by_channels else (length, 1, 1)
        self.fuse = Fuse(sizes[0], sizes[1], along=sizes[2], identity=options.identity_start)

    def forward(self, embeddings: Tensor, feature: Tensor) -> Tensor:
        """Change embeddings, (batch · 2, length, width), by features (batch, source): the same shape."""
        mapped = self.mlp(feature).repeat_interleave(len(embeddings) // len(feature), dim=0).unsqueeze(1)
        fused: Tensor = self.fuse(embeddings, mapped.expand_as(embeddings) if self.by_channels else mapped)
        return fused


class SelfPrompts(nn.Module):
    """SP: K linear layers of the feature of the ResNet-50, and K learned tokens; joined as tokens or summed."""

    def __init__(self, width: int, blocks: Sequence[int], options: Options) -> None:
        super().__init__()
        self.blocks, self.options = tuple(blocks), options
        copies = 1 if options.sp_shared else len(self.blocks)
        self.proj = nn.ModuleList(nn.Linear(options.source_width, width) for _ in range(copies * options.prompts))
        self.tokens = nn.Parameter(options.sp_std * torch.randn(copies * options.prompts, width))

    def forward(self, feature: Tensor) -> dict[int, Tensor]:
        """Compute the prompts before each block: number of the block → (batch, M, width)."""
        options = self.options
        dynamic = torch.stack([linear(feature) for linear in self.proj], dim=1)  # (batch, copies · K, width)
        static = self.tokens.expand_as(dynamic)
        pairs = zip(*(torch.split(part, options.prompts, dim=1) for part in (dynamic, static)), strict=True)
        sets = [torch.cat(pair, dim=1) if options.sp_join == "tokens" else pair[0] + pair[1] for pair in pairs]
        return {block: sets[0 if options.sp_shared else number] for number, block in enumerate(self.blocks)}


def encode_image(
    walk: ImageWalk, normed: Tensor, prompts: Mapping[int, Tensor], taps: Sequence[int], options: Options
) -> tuple[Tensor, ...]:
    """Run the blocks up to the last tap; prompts are appended, in place of those of the block before.

    Args:
        walk: the image encoder.
        normed: (batch, 1 + grid², width), embedded images after the first norm.
        prompts: number of a block → (batch, M, width), what is appended before it.
        taps: the blocks after which tokens are kept.
        options: which earlier prompts are dropped, and whether the last ones stay.

    Returns:
        Per tap (batch, 1 + grid², width) in single precision, prompts removed.
    """
    own, layers = normed.shape[1], []
    drop_after = 0 if options.sp_kept else max(prompts, default=0)

    def append(number: int, tokens: Tensor) -> Tensor:
        if number in prompts:
            dropped = options.prompts if options.sp_dropped == "half" else tokens.shape[1]
            kept = tokens[:, : max(own, tokens.shape[1] - dropped)]  # never a patch
            return torch.cat([kept, prompts[number].to(tokens.dtype)], dim=1)
        return tokens[:, :own] if number == drop_after + 1 else tokens

    def keep(number: int, tokens: Tensor) -> Tensor:
        if number in taps:
            layers.append(tokens[:, :own].float())
        return tokens

    walk.run(normed, last=max(taps), before=append, after=keep)
    return tuple(layers)
