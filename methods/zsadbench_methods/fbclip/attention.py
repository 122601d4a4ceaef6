"""FB-Attention: a gate splits each token into a foreground and a background stream (§3.5).

One module serves every layer and view. Neither a residual nor an MLP follows, and each stream has a
learnable softmax temperature.

What comes before the softmax is linear in the token, but for two numbers a token (see `parts.normed`): with the share
s, the gate γ or 1 − γ, and the variance v of the token, `s/√(s²·v + ε)` stands before the products. So `project` makes
those of both streams, and of the gate's first layer, at once, and every view that is a weighted sum of tokens takes the
same weighted sum of them.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.parts.normed import part
from zsadbench_methods.parts.precision import in_single

HEADS, HEAD_WIDTH = 8, 64
INNER = HEADS * HEAD_WIDTH


class Stream(nn.Module):
    """The parameters of one self-attention of the pair: norm, queries, keys and values, learnable scale, output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, INNER, bias=False)
        self.to_k = nn.Linear(width, INNER, bias=False)
        self.to_v = nn.Linear(width, INNER, bias=False)
        self.to_out = nn.Linear(INNER, width)
        self.scale = nn.Parameter(torch.tensor(HEAD_WIDTH**-0.5))

    def fused(self) -> Tensor:
        """Queries, scale included, keys and values as one matrix, (3 · inner, width)."""
        return torch.cat([self.to_q.weight * self.scale, self.to_k.weight, self.to_v.weight])


class Fused(NamedTuple):
    """The parameters of both streams as few matrices; made once for many views."""

    inward: Tensor  # (6 · inner, width): queries, keys, values, of either stream each; then the gate's first layer
    offsets: Tensor  # (3, 2, inner): what the norms' biases add to queries, keys and values
    outward: Tensor  # (width, 2 · inner)
    bias: Tensor  # (width,)


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

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, 1 + patches, width) → the same, the class token attending like any other."""
        fused = self.fused()
        return self.attend(tokens, self.project(tokens, fused), fused)

    def openness(self, tokens: Tensor) -> Tensor:
        """The gate of every token, (batch, tokens, 1) in (0, 1); without a gate, one half."""
        return self._gate(self.project(tokens, self.fused()))

    def fused(self) -> Fused:
        """Both streams in few matrices."""
        streams = (self.foreground, self.background)
        parted = [part(stream.norm, stream.fused()) for stream in streams]
        rows = torch.stack([one.rows.view(3, INNER, -1) for one in parted], dim=1)  # (3, 2, inner, width)
        offsets = torch.stack([one.offset.view(3, INNER) for one in parted], dim=1)
        inward = [rows.flatten(0, 2)] + ([self._gate_layers[0].weight] if self.gated else [])
        outward = torch.cat([stream.to_out.weight for stream in streams], dim=1)
        bias = self.foreground.to_out.bias + self.background.to_out.bias
        return Fused(torch.cat(inward), offsets, outward, bias)

    def project(self, tokens: Tensor, fused: Fused) -> Tensor:
        """All that the attention needs of raw tokens, linear in them: (…, width) → (…, rows of `inward`)."""
        return linear(tokens, fused.inward)

    def attend(self, tokens: Tensor, projected: Tensor, fused: Fused) -> Tensor:
        """As `forward`, with what `project` gives of the tokens."""
        batch, length, _ = tokens.shape
        parts = projected[..., : 6 * INNER].view(batch, length, 3, 2, INNER)
        shares = self._shares(tokens, projected).view(batch, length, 1, 2, 1)
        ready = torch.addcmul(fused.offsets, shares, parts).to(projected.dtype)
        q, k, v = ready.view(batch, length, 3, 2 * HEADS, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(q, k, v, scale=1.0)  # (batch, 2 · heads, tokens, 64)
        heads = attended.transpose(1, 2).reshape(batch, length, 2 * INNER)
        out: Tensor = self.norm(linear(heads, fused.outward, fused.bias).float())
        return out

    @property
    def _gate_layers(self) -> tuple[nn.Linear, nn.Linear]:
        return cast("nn.Linear", self.gate[0]), cast("nn.Linear", self.gate[2])

    def _gate(self, projected: Tensor) -> Tensor:
        if not self.gated:
            return torch.full_like(projected[..., :1], 0.5, dtype=torch.float32)
        with in_single(projected):
            first, second = self._gate_layers
            hidden = projected[..., 6 * INNER :].float() + first.bias
            gate: Tensor = second(hidden.relu()).sigmoid()
        return gate

    def _shares(self, tokens: Tensor, projected: Tensor) -> Tensor:
        """`s/√(s²·v + ε)` of every token, foreground and background: (batch, tokens, 2)."""
        gate = self._gate(projected)
        parts = torch.cat([gate, 1 - gate], dim=-1)
        variance = tokens.var(dim=-1, unbiased=False, keepdim=True)
        return parts * torch.rsqrt(parts.square() * variance + self.foreground.norm.eps)
