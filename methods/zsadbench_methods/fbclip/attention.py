"""FB-Attention: a gate splits every token between a foreground and a background self-attention (§3.5).

One module serves every layer and view. The class token takes part like a patch. There is no residual connection and no
MLP, and each stream has a learnable softmax scale. `forward` is the definition; `fused.attend_views` computes the same
for all views of a layer at once.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.parts.precision import single_precision

HEADS, HEAD_WIDTH = 8, 64  # of either stream
INNER = HEADS * HEAD_WIDTH


class Stream(nn.Module):
    """The self-attention of one stream: layer norm, queries, keys and values, learnable scale, output layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, INNER, bias=False)
        self.to_k = nn.Linear(width, INNER, bias=False)
        self.to_v = nn.Linear(width, INNER, bias=False)
        self.to_out = nn.Linear(INNER, width)
        self.scale = nn.Parameter(torch.tensor(HEAD_WIDTH**-0.5))

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend among the tokens of each image: (batch, tokens, width) → the same."""
        normed = self.norm(tokens)
        queries, keys, values = (
            split_heads(layer(normed), HEADS) for layer in (self.to_q, self.to_k, self.to_v)
        )  # (batch, heads, tokens, 64)
        attended = scaled_dot_product_attention(queries * self.scale, keys, values, scale=1.0)
        output: Tensor = self.to_out(merge_heads(attended))
        return output


class FBAttention(nn.Module):
    """`LN(foreground(γ·z) + background((1 − γ)·z))` with a gate γ in (0, 1) per token z; γ = ½ unless `gated`."""

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
        """Apply the equation above: (batch, 1 + patches, width) → the same."""
        gate = self.gate_values(tokens)  # (batch, 1 + patches, 1)
        attended: Tensor = self.norm(self.foreground(gate * tokens) + self.background((1 - gate) * tokens))
        return attended

    @property
    def streams(self) -> tuple[Stream, Stream]:
        """The foreground stream and the background stream."""
        return self.foreground, self.background

    @property
    def gate_layers(self) -> tuple[nn.Linear, nn.Linear]:
        """The two linear layers of the gate."""
        return cast("nn.Linear", self.gate[0]), cast("nn.Linear", self.gate[2])

    def gate_values(self, tokens: Tensor) -> Tensor:
        """Compute the gate γ of every token, (batch, tokens, width) → float32 (batch, tokens, 1) in (0, 1)."""
        return self.gate_from_products(linear(tokens, self.gate_layers[0].weight))

    def gate_from_products(self, products: Tensor) -> Tensor:
        """Compute γ from the tokens' products with the weights of the gate's first layer, (batch, tokens, hidden).

        Without a gate only the first two axes of `products` are read, and γ is one half.
        """
        if not self.gated:
            return products.new_full((*products.shape[:2], 1), 0.5, dtype=torch.float32)
        with single_precision(products):
            first, second = self.gate_layers
            gate: Tensor = second((products.float() + first.bias).relu()).sigmoid()
        return gate


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(batch, tokens, heads · 64) → (batch, heads, tokens, 64)."""
    return tokens.view(*tokens.shape[:2], heads, HEAD_WIDTH).transpose(1, 2)


def merge_heads(tokens: Tensor) -> Tensor:
    """(batch, heads, tokens, 64) → (batch, tokens, heads · 64)."""
    return tokens.transpose(1, 2).flatten(2)
