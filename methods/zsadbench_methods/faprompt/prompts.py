"""Compound abnormality prompts: one normal sentence, and abnormal ones that share its learned tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench_methods.parts.deep_prompts import DeepPrompts
from zsadbench_methods.parts.prompts import embed_sentences

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench_methods.faprompt.options import Options


class CompoundPrompts(nn.Module):
    """The sentences `[V₁]…[Vₙ] object.` and, for every j, `[V₁]…[Vₙ] [Wⱼ₁]…[Wⱼₘ] damaged object.`.

    `normal`, (n, width), and `abnormal`, (prompts, m, width), are initialised from N(0, 0.02²); everything else is
    CLIP's own frozen embedding. A sentence ends with its end token, at `normal_end` or `abnormal_end`: a causal text
    tower never attends to what follows. The deep prompts replace the first shared tokens in later blocks.

    Raises:
        UsageError: a prompt is too long for the text tower.
    """

    start: Tensor
    normal_words: Tensor
    abnormal_words: Tensor

    def __init__(self, text: TextTower, blocks: int, options: Options) -> None:
        super().__init__()
        shared, whole = options.context, options.context + options.abnormal_context
        endings = (f"{options.class_word}.", f"{options.damage_word} {options.class_word}.")
        embedded, ends = embed_sentences(text, (shared, whole), endings)  # (2, 77, width), (2,)
        self.normal_end, self.abnormal_end = map(int, ends)
        width = embedded.shape[-1]
        self.normal = nn.Parameter(0.02 * torch.randn(shared, width))
        self.abnormal = nn.Parameter(0.02 * torch.randn(options.prompts, options.abnormal_context, width))
        shape = (options.deep_length, width)
        self.deep = DeepPrompts(options.deep_depth - 1, shape, blocks, rounded=options.deep_half)
        self.register_buffer("start", embedded[0, :1], persistent=False)
        self.register_buffer("normal_words", embedded[0, 1 + shared : self.normal_end + 1], persistent=False)
        self.register_buffer("abnormal_words", embedded[1, 1 + whole : self.abnormal_end + 1], persistent=False)

    def normal_sentence(self) -> Tensor:
        """Assemble the normal sentence, (1, length, width), without positional embeddings."""
        return torch.cat([self.start, self.normal, self.normal_words]).unsqueeze(0)

    def abnormal_sentences(self, prior: Tensor) -> Tensor:
        """Assemble the abnormal sentences of every image, (batch · prompts, length, width), image after image.

        `prior`, (batch, width), is added to all abnormal tokens of all sentences of an image.
        """
        own = (self.abnormal + prior[:, None, None]).flatten(0, 1)  # (batch · prompts, m, width)
        begin = torch.cat([self.start, self.normal])  # (1 + n, width)
        before, after = (tokens.expand(len(own), -1, -1) for tokens in (begin, self.abnormal_words))
        return torch.cat([before, own, after], dim=1)
