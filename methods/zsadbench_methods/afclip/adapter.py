"""The adapter: one self-attention that every layer and window goes through.

Its output replaces the token: there is neither a residual connection nor an MLP.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS
from zsadbench_methods.parts.normed import part, variance_of
from zsadbench_methods.parts.precision import in_single

INNER = HEADS * HEAD_WIDTH


class Projected(NamedTuple):
    """Queries, keys and values before the norm's part in them: `rows` (…, 3 · inner) are linear in the token.

    The adapter's tokens are weighted sums, which these may be, too; `offset` (3 · inner,) belongs to all of them.
    """

    rows: Tensor
    offset: Tensor


class Adapter(nn.Module):
    """Norm, eight heads of 64 without biases, output projection with one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, INNER, bias=False)
        self.to_k = nn.Linear(width, INNER, bias=False)
        self.to_v = nn.Linear(width, INNER, bias=False)
        self.to_out = nn.Linear(INNER, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, 1 + patches, width) → the same, the class token attending like any other."""
        return self.attend(tokens, self.project(tokens))

    def project(self, tokens: Tensor) -> Projected:
        """All that the attention needs of raw tokens, (…, width)."""
        with in_single(tokens):
            fused = part(self.norm, torch.cat([self.to_q.weight, self.to_k.weight, self.to_v.weight]))
        return Projected(linear(tokens, fused.rows), fused.offset)

    def attend(self, tokens: Tensor, projected: Projected) -> Tensor:
        """As `forward`, with what `project` gives of the tokens."""
        batch, length, _ = tokens.shape
        share = torch.rsqrt(variance_of(tokens) + self.norm.eps)
        ready = torch.addcmul(projected.offset, share, projected.rows).to(projected.rows.dtype)
        q, k, v = ready.view(batch, length, 3, HEADS, HEAD_WIDTH).permute(2, 0, 3, 1, 4)  # (batch, heads, tokens, 64)
        attended = scaled_dot_product_attention(q, k, v)
        out: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return out
