"""Attention as publications write it: one product at a time, with all matrices of attention weights."""

from __future__ import annotations

from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, scale: Tensor | float, heads: int = 8) -> Tensor:
    """(batch, tokens, inner) each → (batch, tokens, inner), the heads side by side."""
    batch, length, inner = q.shape
    q, k, v = (x.reshape(batch, length, heads, inner // heads).permute(0, 2, 1, 3) for x in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * scale).softmax(dim=-1)  # (batch, heads, tokens, tokens)
    joined: Tensor = (weights @ v).permute(0, 2, 1, 3).reshape(batch, length, inner)
    return joined
