"""FB-Attention: a gate splits each token into a foreground and a background stream (§3.5).

One module serves every layer and view. Neither a residual nor an MLP follows, and each stream has a
learnable softmax temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

HEADS, HEAD_WIDTH = 8, 64
INNER = HEADS * HEAD_WIDTH


class Stream(nn.Module):
    """One self-attention of the pair: norm, queries, keys and values, learnable scale, output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, INNER, bias=False)
        self.to_k = nn.Linear(width, INNER, bias=False)
        self.to_v = nn.Linear(width, INNER, bias=False)
        self.to_out = nn.Linear(INNER, width)
        self.scale = nn.Parameter(torch.tensor(HEAD_WIDTH**-0.5))

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, width) → the same."""
        batch, length, _ = tokens.shape
        weights = torch.cat([self.to_q.weight * self.scale, self.to_k.weight, self.to_v.weight])
        fused = linear(self.norm(tokens), weights).view(batch, length, 3, HEADS, HEAD_WIDTH)
        q, k, v = fused.permute(2, 0, 3, 1, 4)  # (batch, heads, tokens, 64) each
        attended = scaled_dot_product_attention(q, k, v, scale=1.0)
        out: Tensor = self.to_out(attended.transpose(1, 2).reshape(batch, length, INNER))
        return out


class FBAttention(nn.Module):
    """`LN(attend_fg(γ·z) + attend_bg((1 − γ)·z))` with a gate γ in (0, 1) per token."""

    def __init__(self, width: int, *, gated: bool = True) -> None:
        super().__init__()
        self.gated = gated
        self.gate = nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, 1))
        self.foreground = Stream(width)
        self.background = Stream(width)
        self.norm = nn.LayerNorm(width)
        if not gated:
            self.gate.requires_grad_(requires_grad=False)

    def openness(self, tokens: Tensor) -> Tensor:
        """The gate of every token, (batch, tokens, 1) in (0, 1); without a gate, one half."""
        if not self.gated:
            return torch.full_like(tokens[..., :1], 0.5)
        gate: Tensor = self.gate(tokens).sigmoid()
        return gate

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, 1 + patches, width) → the same, the class token attending like any other."""
        gate = self.openness(tokens)
        out: Tensor = self.norm(self.foreground(gate * tokens) + self.background((1 - gate) * tokens))
        return out
