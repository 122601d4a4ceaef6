"""One block of the image tower: the plain path, and the value-value path next to it.

The value-value path (CLIP Surgery; the diagonally prominent attention maps, DPAM, of AnomalyCLIP) reads the plain path
and never acts back on it. With `Attn(a, b, v)` the block's own attention for queries a, keys b and values v,

    plain:        x ← x + Attn(q, k, v);  x ← x + MLP(x)
    value-value:  y ← y + Attn(v, v, v)                      no MLP, no norm of its own

where q, k and v are computed from the normalised x, once for both paths, and y starts as the x before its first block.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention


def run_block(block: Any, tokens: Tensor, value: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Run both paths through one block, (batch, tokens, width) each.

    Args:
        block: a residual attention block of open_clip.
        tokens: the plain path.
        value: the value-value path where it runs, else None.
    """
    q, k, v = project_heads(block.attn, block.ln_1(tokens))
    if value is not None:
        value = value + attend(block.attn, v, v, v)
    tokens = tokens + attend(block.attn, q, k, v)
    return tokens + block.mlp(block.ln_2(tokens)), value


def project_heads(attention: Any, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute queries, keys and values, (batch, heads, tokens, head width) each."""
    batch, length, _ = normed.shape
    fused = linear(normed, attention.in_proj_weight, attention.in_proj_bias)  # (batch, tokens, 3 · width)
    q, k, v = fused.view(batch, length, 3, attention.num_heads, attention.head_dim).permute(2, 0, 3, 1, 4)
    return q, k, v


def attend(attention: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend, join the heads and apply the output layer: (batch, tokens, width); `mask` is added to the logits."""
    heads = scaled_dot_product_attention(q, k, v, mask)
    attended: Tensor = attention.out_proj(heads.transpose(1, 2).flatten(2))
    return attended
