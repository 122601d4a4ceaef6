"""Object-agnostic prompts, and the deep prompts that stand in for them further up the text tower."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench_methods.parts.prompts import ContextPrompts

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench_methods.anomalyclip.options import Options


class Prompts(ContextPrompts):
    """The sentences `[V₁]…[Vₙ] object.` and `[W₁]…[Wₙ] damaged object.`, and deep prompts for both alike.

    `deep[k]`, (deep_length, width) from N(0, 0.02²), takes the place of the first context tokens before
    text block k + 2, counted from 1. A tower of fewer blocks leaves the last ones unused and untrained.
    """

    def __init__(self, text: TextTower, blocks: int, options: Options) -> None:
        endings = (f"{options.class_word}.", f"{options.damage_word} {options.class_word}.")
        super().__init__(text, options.context, endings, whole=False)
        self.rounded = options.deep_half
        shape = (options.deep_length, self.normal.shape[1])
        self.deep = nn.ParameterList(0.02 * torch.randn(shape) for _ in range(options.deep_depth - 1))
        for unused in list(self.deep)[blocks - 1 :]:
            unused.requires_grad_(requires_grad=False)

    def deep_prompts(self) -> list[Tensor]:
        """Those that the text tower gets, (2, deep_length, width) each.

        As published they are rounded to half precision, for each sentence on its own: gradients pass, rounded too.
        """
        both = (prompt.expand(2, -1, -1) for prompt in self.deep)
        return [prompts.half().float() if self.rounded else prompts for prompts in both]
