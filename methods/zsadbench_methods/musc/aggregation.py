"""Local neighbourhood aggregation with multiple degrees (LNAMD): a normalised map per image, then means of patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.window_mean import window_mean


def normalised(patches: Tensor, epsilon: float) -> Tensor:
    """Normalise all values of an image together: (batch, patches, width) of mean 0 and variance about 1 each."""
    mean = patches.mean(dim=(1, 2), keepdim=True)
    variance = patches.var(dim=(1, 2), correction=0, keepdim=True)
    return (patches - mean) / torch.sqrt(variance + epsilon)


def aggregated(patches: Tensor, shape: tuple[int, int], side: int) -> Tensor:
    """Average neighbourhoods of normalised patches and bring them to unit length, (batch, patches, width)."""
    return normalize(window_mean(patches, shape, side), dim=-1)
