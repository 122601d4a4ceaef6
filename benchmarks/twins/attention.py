"""Attention as publications write it: one product at a time, every matrix of weights made."""

from __future__ import annotations

from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, scale: Tensor | float, heads: int = 8) -> Tensor:
    """(batch, tokens, inner) each → (batch, tokens, inner), the heads side by side."""
    batch, length, inner = q.shape
    q, k, v = (one.reshape(batch, length, heads, inner // heads).permute(0, 2, 1, 3) for one in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * scale).softmax(dim=-1)  # (batch, heads, tokens, tokens)
    made: Tensor = (weights @ v).permute(0, 2, 1, 3).reshape(batch, length, inner)
    return made
