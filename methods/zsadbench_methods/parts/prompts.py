"""Sentences whose first words are learned vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower

PLACEHOLDER = "X"


def embed_sentences(text: TextTower, contexts: Sequence[int], endings: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Embed sentences that begin with placeholders for learned vectors (FB-CLIP, AnomalyCLIP, FAPrompt).

    Args:
        text: the text tower.
        contexts: placeholders per sentence.
        endings: the words after them, per sentence.

    Returns:
        CLIP's own embeddings, (sentences, context length, width), without gradients and positions, and the positions
        of the end tokens, (sentences,).

    Raises:
        UsageError: a sentence is too long for the text tower.
    """
    begins = (" ".join([PLACEHOLDER] * count) for count in contexts)
    ids = text.tokenize([f"{begin} {ending}" for begin, ending in zip(begins, endings, strict=True)])  # (n, 77)
    if bool(ids[:, -1].any()):  # the tokenizer fills, and cuts to, the context length: no room is left
        raise UsageError(
            f"{max(contexts)} learned tokens (option 'context') and '… {endings[0][:40]}' ('class_word') do not fit "
            f"into the {text.context_length} tokens of the text tower; shorten these options"
        )
    with torch.no_grad():
        return text.embed(ids), ids.argmax(dim=1)  # the end token has the largest id


class ContextPrompts(nn.Module):
    """The sentences `[V₁]…[Vₙ] ending` and `[W₁]…[Wₙ] ending` as embeddings (FB-CLIP, AnomalyCLIP).

    The contexts, (context, width) each, are initialised from N(0, 0.02²); everything else is CLIP's own frozen
    embedding of the sentence. `eot`, (2,), are the positions of the two end tokens. Unless `whole`, the tokens after
    the later of them are left out: a causal text tower never attends to them.

    Raises:
        UsageError: a prompt is too long for the text tower.
    """

    start: Tensor
    end: Tensor
    eot: Tensor

    def __init__(self, text: TextTower, context: int, endings: Sequence[str], *, whole: bool) -> None:
        super().__init__()
        embedded, eot = embed_sentences(text, [context] * len(endings), endings)  # (2, 77, width), (2,)
        width, stop = embedded.shape[-1], None if whole else int(eot.max()) + 1
        self.normal = nn.Parameter(0.02 * torch.randn(context, width))
        self.abnormal = nn.Parameter(0.02 * torch.randn(context, width))
        self.register_buffer("start", embedded[:, :1], persistent=False)
        self.register_buffer("end", embedded[:, 1 + context : stop], persistent=False)
        self.register_buffer("eot", eot, persistent=False)

    def forward(self) -> Tensor:
        """Assemble both sentences, (2, length, width), row 0 normal, without positional embeddings."""
        contexts = torch.stack([self.normal, self.abnormal])  # (2, context, width)
        return torch.cat([self.start, contexts, self.end], dim=1)
