"""FB-Attention: a gate splits each token into a foreground and a background stream (§3.5).

One module serves every layer and view. Neither a residual nor an MLP follows, and each stream has a
learnable softmax temperature.

What comes before the softmax is linear in the token, but for two numbers a token (see `parts.normed`): with the share
s, the gate γ or 1 − γ, and the variance v of the token, `s/√(s²·v + ε)` stands before the products. So `project` makes
those of both streams, and of the gate's first layer, at once, and every view that is a weighted sum of tokens takes the
same weighted sum of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.parts.normed import part, variance_of
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


class Projected(NamedTuple):
    """What the attention needs of raw tokens, linear in them: queries, keys and values of both streams, gate layer one.

    (batch, tokens, 2 · inner) each, the gate's (batch, tokens, hidden), with no column where there is no gate.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    gate: Tensor


class Joined(NamedTuple):
    """The parameters of both streams side by side; made once for many views."""

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
        return self.attend(variance_of(tokens), self.project(tokens, self.inward()), self.joined())

    def openness(self, tokens: Tensor) -> Tensor:
        """The gate of every token, (batch, tokens, 1) in (0, 1); without a gate, one half."""
        return self._gate(self.project(tokens, self.inward()).gate)

    def inward(self) -> Tensor:
        """All that tokens are multiplied by, (rows, width): queries, keys and values of either stream, the gate."""
        parted = [part(stream.norm, stream.fused()).rows for stream in self._streams]
        rows = torch.stack([one.view(3, INNER, -1) for one in parted], dim=1)  # (3, 2, inner, width)
        return torch.cat([rows.flatten(0, 2)] + ([self._gate_layers[0].weight] if self.gated else []))

    def joined(self) -> Joined:
        """The rest of the parameters, both streams in one."""
        offsets = torch.stack([(one.fused() @ one.norm.bias).view(3, INNER) for one in self._streams], dim=1)
        outward = torch.cat([stream.to_out.weight for stream in self._streams], dim=1)
        return Joined(offsets, outward, self.foreground.to_out.bias + self.background.to_out.bias)

    def project(self, tokens: Tensor, inward: Tensor) -> Projected:
        """All of it as one product of (batch, tokens, width)."""
        hidden = len(inward) - 6 * INNER
        return Projected(*torch.split(linear(tokens, inward), [2 * INNER, 2 * INNER, 2 * INNER, hidden], dim=-1))

    def attend(
        self,
        variance: Tensor,
        projected: Projected,
        joined: Joined,
        view: Callable[[Tensor], Tensor] = lambda field: field,
    ) -> Tensor:
        """As `forward`, for tokens that are a `view` of others: sums of them with weights of its own.

        Args:
            variance: of the viewed tokens, (batch, tokens, 1).
            projected: what `project` gives of the others.
            joined: parameters.
            view: linear, (batch, tokens, channels) → the same.
        """
        shares = self._shares(variance, view(projected.gate)).unsqueeze(-1)
        q, k, v = (
            _by_head(torch.addcmul(offset, shares, _by_stream(view(one))).to(one.dtype))
            for one, offset in zip(projected[:3], joined.offsets, strict=True)
        )
        attended = scaled_dot_product_attention(q, k, v, scale=1.0)  # (batch, 2 · heads, tokens, 64)
        del q, k, v
        heads = attended.transpose(1, 2).flatten(2)
        out: Tensor = self.norm(linear(heads, joined.outward, joined.bias).float())
        return out.to(heads.dtype)  # all groups of an image are kept for a while

    @property
    def _streams(self) -> tuple[Stream, Stream]:
        return self.foreground, self.background

    @property
    def _gate_layers(self) -> tuple[nn.Linear, nn.Linear]:
        return cast("nn.Linear", self.gate[0]), cast("nn.Linear", self.gate[2])

    def _gate(self, projected: Tensor) -> Tensor:
        """From the first layer of the gate, (batch, tokens, hidden), to the gate."""
        if not self.gated:
            return projected.new_full((*projected.shape[:2], 1), 0.5, dtype=torch.float32)
        with in_single(projected):
            first, second = self._gate_layers
            gate: Tensor = second((projected.float() + first.bias).relu()).sigmoid()
        return gate

    def _shares(self, variance: Tensor, projected: Tensor) -> Tensor:
        """`s/√(s²·v + ε)` of every token, foreground and background: (batch, tokens, 2)."""
        gate = self._gate(projected)
        parts = torch.cat([gate, 1 - gate], dim=-1)
        return parts * torch.rsqrt(parts.square() * variance + self.foreground.norm.eps)


def _by_stream(rows: Tensor) -> Tensor:
    """(batch, tokens, 2 · inner) → (batch, tokens, 2, inner)."""
    return rows.reshape(*rows.shape[:2], 2, INNER)


def _by_head(rows: Tensor) -> Tensor:
    """(batch, tokens, 2, inner) → (batch, 2 · heads, tokens, 64)."""
    return rows.view(*rows.shape[:2], 2 * HEADS, HEAD_WIDTH).transpose(1, 2)
