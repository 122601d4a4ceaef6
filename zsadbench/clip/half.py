"""Weights of products kept in half precision: bit for bit what autocast would make of them in every call."""

from __future__ import annotations

import torch
from torch import nn

PRODUCTS = (nn.Linear, nn.Conv2d)


def keep_half(tower: nn.Module, precision: torch.dtype) -> None:
    """Round what autocast rounds, linear layers, convolutions and attention, and keep no single precision of it.

    Norms, embeddings, positions and the projection into the joint space, which heads take in either precision, stay
    as they are. Single precision changes nothing.
    """
    if precision == torch.float32:
        return
    for module in tower.modules():
        if isinstance(module, PRODUCTS):
            module.to(precision)
        elif isinstance(module, nn.MultiheadAttention):
            for name in ("in_proj_weight", "in_proj_bias"):
                setattr(module, name, nn.Parameter(getattr(module, name).detach().to(precision)))
