"""Object-agnostic prompts: one normal and one abnormal sentence with learnable context (§3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower

ENDINGS = ("without defect.", "with defect.")  # row 0 normal, row 1 abnormal
PLACEHOLDER = "X"


class Prompts(nn.Module):
    """The sentences `[V₁]…[Vₙ] object without defect.` and `[W₁]…[Wₙ] object with defect.` as embeddings.

    The contexts, (context, width) each, are drawn from N(0, 0.02²); everything else is CLIP's own
    frozen embedding of the sentence. Prompts too long for the text tower raise `UsageError`.
    """

    start: Tensor
    end: Tensor
    eot: Tensor

    def __init__(self, text: TextTower, context: int, class_word: str) -> None:
        super().__init__()
        sentences = [f"{' '.join([PLACEHOLDER] * context)} {class_word} {ending}" for ending in ENDINGS]
        ids = text.tokenize(sentences)  # (2, 77)
        if bool(ids[:, -1].any()):  # cut to fit, or as good as that
            raise UsageError(
                f"options 'context' {context} and 'class_word' '{class_word[:20]}' make prompts that do not fit "
                f"into the {text.context_length} tokens of the text tower; shorten them"
            )
        with torch.no_grad():
            embedded = text.embed(ids)  # (2, 77, width)
        width = embedded.shape[-1]
        self.normal = nn.Parameter(0.02 * torch.randn(context, width))
        self.abnormal = nn.Parameter(0.02 * torch.randn(context, width))
        self.register_buffer("start", embedded[:, :1], persistent=False)
        self.register_buffer("end", embedded[:, 1 + context :], persistent=False)
        self.register_buffer("eot", ids.argmax(dim=1), persistent=False)

    def forward(self) -> Tensor:
        """Both sentences as embeddings, (2, 77, width), without positions."""
        contexts = torch.stack([self.normal, self.abnormal])
        return torch.cat([self.start, contexts, self.end], dim=1)
