"""The adapter: one self-attention that all layers and windows share.

Its output replaces the tokens: there is neither a residual connection nor an MLP. `forward` is the definition;
`fused.attend` computes the same with queries, keys and values that serve all windows of a layer.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS

INNER = HEADS * HEAD_WIDTH


class Adapter(nn.Module):
    """Layer norm, eight heads of 64 without biases, output layer with a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, INNER, bias=False)
        self.to_k = nn.Linear(width, INNER, bias=False)
        self.to_v = nn.Linear(width, INNER, bias=False)
        self.to_out = nn.Linear(INNER, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend among the tokens of each image, the class token included: (batch, 1 + patches, width) → the same."""
        batch, length, _ = tokens.shape
        normed = self.norm(tokens)
        q, k, v = (
            layer(normed).view(batch, length, HEADS, HEAD_WIDTH).transpose(1, 2)
            for layer in (self.to_q, self.to_k, self.to_v)
        )  # (batch, heads, tokens, 64)
        return self.output(scaled_dot_product_attention(q, k, v))

    def output(self, attended: Tensor) -> Tensor:
        """Join the heads and apply the output layer: (batch, heads, tokens, 64) → (batch, tokens, width)."""
        output: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return output
