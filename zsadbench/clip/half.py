"""Weights of matrix products in half precision, bit-equal to what autocast computes from them in every call."""

from __future__ import annotations

import torch
from torch import nn

PRODUCTS = (nn.Linear, nn.Conv2d)


def keep_half(tower: nn.Module, precision: torch.dtype) -> None:
    """Round the weights that autocast rounds, those of linear layers, convolutions and attention, in place.

    Norms, embeddings, positions and the projection into the joint space, which heads use in either precision, stay in
    single precision. With `torch.float32` nothing changes.
    """
    if precision == torch.float32:
        return
    for module in tower.modules():
        if isinstance(module, PRODUCTS):
            module.to(precision)
        elif isinstance(module, nn.MultiheadAttention):
            for name in ("in_proj_weight", "in_proj_bias"):
                setattr(module, name, nn.Parameter(getattr(module, name).detach().to(precision)))
