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

    The prefix V, (context, width), initialised from N(0, 0.01²), is shared by both. As published it stands before the
    start token, and positions are counted over the whole sequence. Tokens after the later end token are left out: the
    causal text tower never attends to them.

    Raises:
        UsageError: a prompt is too long for the text tower.
    """

    sentences: Tensor
    eot: Tensor

    def __init__(self, text: TextTower, options: Options) -> None:
        super().__init__()
        ids = text.tokenize([options.normal, options.abnormal])  # (2, 77)
        ends = ids.argmax(dim=1)  # the end token has the largest id
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
        """Assemble both prompts, (2, context + length, width), row 0 normal, without positional embeddings."""
        prefix = self.context.expand(2, -1, -1)  # (2, context, width)
        if self.before:
            return torch.cat([prefix, self.sentences], dim=1)
        return torch.cat([self.sentences[:, :1], prefix, self.sentences[:, 1:]], dim=1)
