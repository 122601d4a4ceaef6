"""Object-agnostic prompts, and the deep prompts that replace their first tokens in later text blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench_methods.parts.prompts import ContextPrompts

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench_methods.anomalyclip.options import Options


class Prompts(ContextPrompts):
    """The sentences `[V₁]…[Vₙ] object.` and `[W₁]…[Wₙ] damaged object.`, and deep prompts shared by both.

    `deep[k]`, (deep_length, width), initialised from N(0, 0.02²), replaces the first context tokens before text block
    k + 2, counted from 1. Where the tower has fewer blocks, the last deep prompts are neither used nor trained.

    Raises:
        UsageError: a prompt is too long for the text tower.
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
        """Return the deep prompts for the text tower, (2, deep_length, width) each.

        As published they are rounded to half precision, separately for each sentence, so that the gradients are
        rounded as well.
        """
        both = (prompt.expand(2, -1, -1) for prompt in self.deep)
        return [prompts.half().float() if self.rounded else prompts for prompts in both]
