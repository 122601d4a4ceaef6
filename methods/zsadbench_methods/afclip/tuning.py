"""Three other ways to tune the image encoder, in place of the adapter (Table 5): prompts, prefixes and LoRA.

The paper says no more of them than their numbers of trained parameters and of multiply-accumulates. The defaults give
exactly these numbers; docs/methods/afclip.md derives them. All three work inside the frozen encoder: `encode` gives the
tokens after the tapped blocks, to which the rest of the figure is applied as it is without the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench.clip import map_taps

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.clip.walk import Block, ImageWalk
    from zsadbench_methods.afclip.options import Options

INITIAL = 0.01  # standard deviation of learned vectors at the beginning: that of the text's prefix


def run_blocks(
    walk: ImageWalk, tokens: Tensor, kept: Sequence[int], run: Callable[[int, Tensor], Tensor]
) -> list[Tensor]:
    """Run the blocks up to the last kept one, each with `run(number, tokens)`; return the tokens after kept ones."""
    layers = []
    for number in range(1, max(kept) + 1):
        tokens = run(number, tokens)
        if number in kept:
            layers.append(tokens)
    return layers


class VisualPrompts(nn.Module):
    """Learned tokens that go through all blocks after those of the image: (visual prompts, width)."""

    def __init__(self, width: int, options: Options) -> None:
        super().__init__()
        self.prompts = nn.Parameter(INITIAL * torch.randn(options.visual_prompts, width))

    def encode(self, walk: ImageWalk, normed: Tensor, kept: Sequence[int]) -> list[Tensor]:
        """Encode images: per kept block (batch, 1 + patches, width), without the prompts."""
        own, prompts = normed.shape[1], self.prompts.expand(len(normed), -1, -1)
        layers = run_blocks(walk, torch.cat([normed, prompts], dim=1), kept, lambda number, x: walk.block(number)(x))
        return [layer[:, :own] for layer in layers]


class Prefixes(nn.Module):
    """Learned tokens to which those of the image attend, and which do not go on: one pass of the encoder per window.

    Element `stage · windows + window` of `prefixes`, (prefix length, width), stands before the keys and values of the
    blocks of a stage: those after the tapped block before, up to and including a tapped block.
    """

    def __init__(self, width: int, depth: int, options: Options) -> None:
        super().__init__()
        self.stage_ends, self.windows = map_taps(options.layers, depth), len(options.windows)
        shape = len(self.stage_ends) * self.windows, options.prefix_length, width
        self.prefixes = nn.Parameter(INITIAL * torch.randn(shape))

    def encode(self, walk: ImageWalk, normed: Tensor, kept: Sequence[int]) -> list[Tensor]:
        """Encode images: per kept block (batch, windows, 1 + patches, width)."""
        passes = [self._encode_for(window, walk, normed, kept) for window in range(self.windows)]
        return [torch.stack(layers, dim=1) for layers in zip(*passes, strict=True)]

    def _encode_for(self, window: int, walk: ImageWalk, normed: Tensor, kept: Sequence[int]) -> list[Tensor]:
        def run(number: int, tokens: Tensor) -> Tensor:
            stage = sum(end < number for end in self.stage_ends)
            if stage == len(self.stage_ends):  # after the last tapped block; only AF-CLIP+ may look there
                return walk.block(number)(tokens)
            return with_prefix(walk.block(number), tokens, self.prefixes[stage * self.windows + window])

        return run_blocks(walk, normed, kept, run)


def with_prefix(block: Block, tokens: Tensor, prefix: Tensor) -> Tensor:
    """Run a block, (batch, tokens, width), whose tokens also attend to a prefix, (prefix length, width)."""
    q, k, v = block.heads(torch.cat([prefix.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], dim=1))
    tokens = tokens + block.attend(q[:, :, len(prefix) :], k, v)
    return tokens + block.mlp(tokens)


class LoRA(nn.Module):
    """Low-rank changes of the queries and values of the tapped blocks, B·A per block; at the beginning B is 0."""

    def __init__(self, width: int, depth: int, options: Options) -> None:
        super().__init__()
        self.blocks = map_taps(options.layers, depth)
        shape = len(self.blocks), options.lora_rank, width
        for part in ("q", "v"):
            self.register_parameter(f"{part}_down", nn.Parameter(torch.randn(shape) / width**0.5))
            self.register_parameter(f"{part}_up", nn.Parameter(torch.zeros(shape).transpose(1, 2).contiguous()))

    def encode(self, walk: ImageWalk, normed: Tensor, kept: Sequence[int]) -> list[Tensor]:
        """Encode images: per kept block (batch, 1 + patches, width)."""

        def run(number: int, tokens: Tensor) -> Tensor:
            block = walk.block(number)
            return (
                self._run_changed(block, tokens, self.blocks.index(number)) if number in self.blocks else block(tokens)
            )

        return run_blocks(walk, normed, kept, run)

    def _run_changed(self, block: Block, tokens: Tensor, index: int) -> Tensor:
        """Run a block with `q + B_q·A_q·LN₁(x)` and `v + B_v·A_v·LN₁(x)`: (batch, tokens, width)."""
        normed, (q, k, v) = block.norm(tokens), block.heads(tokens)

        def change(part: str) -> Tensor:
            down, up = self.get_parameter(f"{part}_down")[index], self.get_parameter(f"{part}_up")[index]
            changed = normed @ down.T @ up.T  # (batch, tokens, width)
            return changed.view(*changed.shape[:2], q.shape[1], q.shape[3]).transpose(1, 2)  # as q, k and v

        tokens = tokens + block.attend(q + change("q"), k, v + change("v"))
        return tokens + block.mlp(tokens)


def make_tuning(backbone: Backbone, options: Options) -> VisualPrompts | Prefixes | LoRA:
    """Make the trained part of `options.tuning`, one of those that work inside the encoder."""
    vision = backbone.spec.config.vision
    if options.tuning == "prompt":
        return VisualPrompts(vision.width, options)
    if options.tuning == "prefix":
        return Prefixes(vision.width, vision.layers, options)
    return LoRA(vision.width, vision.layers, options)
