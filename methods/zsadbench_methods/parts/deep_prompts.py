"""Deep prompts: learned vectors that replace tokens of a sentence before later blocks of the text tower."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DeepPrompts(nn.ParameterList):
    """Deep prompts shared by all sentences (AnomalyCLIP, FAPrompt).

    Element k, (length, width), initialised from N(0, 0.02²), replaces the tokens 1 to `length` before text block k + 2,
    counted from 1.

    Args:
        count: the number of deep prompts.
        shape: length and width of each.
        blocks: blocks of the text tower; where they are fewer, the last deep prompts are neither used nor trained.
        rounded: whether to round to half precision, as published.
    """

    def __init__(self, count: int, shape: tuple[int, int], blocks: int, *, rounded: bool) -> None:
        super().__init__(nn.Parameter(0.02 * torch.randn(shape)) for _ in range(count))
        self.rounded = rounded
        for unused in list(self)[blocks - 1 :]:
            unused.requires_grad_(requires_grad=False)

    def for_sentences(self, sentences: int) -> list[Tensor]:
        """Repeat every deep prompt for some sentences: (sentences, length, width) each.

        Rounding is done separately for each sentence, so that the gradients are rounded as well.
        """
        repeated = (prompt.expand(sentences, -1, -1) for prompt in self)
        return [prompts.half().float() if self.rounded else prompts for prompts in repeated]
