"""A linear layer behind a layer norm, taken apart: all that is costly of it is linear in the token.

With the norm's weights g and bias b, a token z of variance v over its channels, and a layer's weights W,

    LN(z)·W = z·C·diag(g)·W / √(v + ε) + b·W            C takes the mean over the channels away

so that the product for a weighted sum of tokens is the weighted sum of their products (FB-CLIP, AF-CLIP).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.linalg import vector_norm


class Parted(NamedTuple):
    """`rows` (outputs, width) take raw tokens to `z·C·diag(g)·W`; `offset` (outputs,) is `b·W`."""

    rows: Tensor
    offset: Tensor


def part(norm: nn.LayerNorm, weights: Tensor) -> Parted:
    """Take `weights`, (outputs, width), behind `norm` apart."""
    scaled = weights * norm.weight
    return Parted(scaled - scaled.mean(dim=1, keepdim=True), weights @ norm.bias)


def variance_of(tokens: Tensor) -> Tensor:
    """The biased variance of every token, (…, width) → (…, 1): plain passes take a quarter of `Tensor.var`."""
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    variance: Tensor = vector_norm(centred, dim=-1, keepdim=True).square() / tokens.shape[-1]
    return variance
