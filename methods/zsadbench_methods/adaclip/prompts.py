"""AdaCLIP's hybrid prompts of one tower: static ones that are learned, dynamic ones computed from the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench_methods.parts.precision import single_precision

if TYPE_CHECKING:
    from zsadbench_methods.adaclip.options import Options


class HybridPrompts(nn.Module):
    """The prompts of one tower, which its blocks 1 to depth take in, or those from block `first` on.

    `static[b]`, (length, width), initialised from N(0, 0.02²), belongs to block b + 1; `dynamic[j]` is the linear layer
    of prompt token j, the same for all blocks. What no block takes in is not trained.
    """

    def __init__(self, joint: int, width: int, blocks: int, first: int, options: Options, *, active: bool) -> None:
        super().__init__()
        shape, self.options, self.active = (options.prompt_length, width), options, active
        self.static = nn.ParameterList(0.02 * torch.randn(shape) for _ in range(options.prompt_depth))
        self.dynamic = nn.ModuleList(nn.Linear(joint, width) for _ in range(options.prompt_length))
        used = range(first - 1, min(options.prompt_depth, blocks)) if active else range(0)
        for number, prompt in enumerate(self.static):
            prompt.requires_grad_(number in used and options.prompts != "dynamic")
        self.dynamic.requires_grad_(len(used) > 0 and options.prompts != "static")

    def from_image(self, source: Tensor) -> Tensor:
        """Compute the dynamic prompts, (batch, length, width), from features of images, (batch, joint)."""
        with single_precision(source):
            return torch.stack([linear(source.float()) for linear in self.dynamic], dim=1)

    def forward(self, dynamic: Tensor | None, batch: int) -> list[Tensor]:
        """Add up the prompts of every block, (batch, length, width) each; without `dynamic`, the static ones alone."""
        if not self.active:
            return []
        if dynamic is None:
            return [static.expand(batch, -1, -1) for static in self.static]
        if self.options.prompts == "dynamic":
            return [dynamic] * len(self.static)
        return [static + dynamic for static in self.static]
