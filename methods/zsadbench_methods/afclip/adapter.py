"""The adapter: one self-attention that every layer and window goes through.

Its output replaces the token: there is neither a residual connection nor an MLP.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS

INNER = HEADS * HEAD_WIDTH


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
        batch, length, _ = tokens.shape
        weights = torch.cat([self.to_q.weight, self.to_k.weight, self.to_v.weight])
        fused = linear(self.norm(tokens), weights).view(batch, length, 3, HEADS, HEAD_WIDTH)
        q, k, v = fused.permute(2, 0, 3, 1, 4)  # (batch, heads, tokens, 64) each
        attended = scaled_dot_product_attention(q, k, v)
        out: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return out
