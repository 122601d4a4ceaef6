"""State prompts: one learned prefix before the two sentences `without defect.` and `with defect.`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench_methods.afclip.options import Options


class Prompts(nn.Module):
    """`[V₁]…[Vₙ] <start> without defect. <end>` and the same with `with defect.`, as embeddings.

    The prefix V, (context, width) from N(0, 0.01²), is shared by both. As published it stands before the
    start token; positions follow the places in the whole sequence. What comes after the later end token is
    left out: the causal text tower never looks there. Sentences too long for it raise `UsageError`.
    """

    sentences: Tensor
    eot: Tensor

    def __init__(self, text: TextTower, options: Options) -> None:
        super().__init__()
        ids = text.tokenize([options.normal, options.abnormal])  # (2, 77)
        ends = ids.argmax(dim=1)
        length = int(ends.max()) + 1
        if options.context + length > text.context_length:
            raise UsageError(
                f"options 'context' {options.context}, 'normal' and 'abnormal' make prompts of "
                f"{options.context + length} tokens, the text tower takes {text.context_length}; shorten them"
            )
        with torch.no_grad():
            embedded = text.embed(ids)[:, :length]  # (2, length, width)
        self.before = options.context_place == "before_start"
        self.context = nn.Parameter(0.01 * torch.randn(options.context, embedded.shape[-1]))
        self.register_buffer("sentences", embedded, persistent=False)
        self.register_buffer("eot", options.context + ends, persistent=False)

    def forward(self) -> Tensor:
        """Both prompts as embeddings, (2, context + length, width), row 0 normal, without positions."""
        prefix = self.context.expand(2, -1, -1)
        if self.before:
            return torch.cat([prefix, self.sentences], dim=1)
        return torch.cat([self.sentences[:, :1], prefix, self.sentences[:, 1:]], dim=1)
