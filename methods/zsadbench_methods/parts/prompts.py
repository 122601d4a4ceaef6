"""One normal and one abnormal sentence whose first words are learned vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower

PLACEHOLDER = "X"


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
        ids = text.tokenize([f"{' '.join([PLACEHOLDER] * context)} {ending}" for ending in endings])  # (2, 77)
        if bool(ids[:, -1].any()):  # the tokenizer fills, and cuts to, the context length: no room is left
            raise UsageError(
                f"options 'context' {context} and 'class_word' make prompts such as '… {endings[0][:40]}' that do not "
                f"fit into the {text.context_length} tokens of the text tower; shorten them"
            )
        with torch.no_grad():
            embedded = text.embed(ids)  # (2, 77, width)
        eot = ids.argmax(dim=1)  # the end token has the largest id
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
