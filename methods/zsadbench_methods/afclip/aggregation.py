"""Spatial aggregation: every patch becomes the Gaussian mean of the square window around it.

The two-dimensional kernel is the outer product of a one-dimensional one with itself, so the filter is two
multiplications with a band matrix, one along the columns and one along the rows. No windows are unfolded, which would
take 25 times the memory of the tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor


def band(grid: int, window: int, sigma: float, *, renormalise: bool) -> Tensor:
    """Build the one-dimensional filter as a float32 (grid, grid) matrix.

    Its weights are `exp(−d²/2σ²)` up to a distance d of (window − 1)/2 patches, divided by their sum over a whole
    window. Beyond the border patches count as zero, unless `renormalise` divides by the sum of the weights inside.
    """
    reach = window // 2
    whole = _gaussian(torch.arange(-reach, reach + 1), sigma).sum()
    distance = (torch.arange(grid).unsqueeze(0) - torch.arange(grid).unsqueeze(1)).abs()  # (grid, grid)
    weights = _gaussian(distance, sigma).masked_fill(distance > reach, 0.0)
    return (weights / (weights.sum(dim=1, keepdim=True) if renormalise else whole)).float()


def _gaussian(distance: Tensor, sigma: float) -> Tensor:
    return torch.exp(-(distance.double() ** 2) / (2 * sigma**2))


def aggregate(tokens: Tensor, grid: int, window: int, sigma: float, *, renormalise: bool = False) -> Tensor:
    """Filter the patches, (batch, 1 + grid², channels) → the same; the class token passes unchanged.

    A window of 1 returns the tokens themselves. `sigma` is in patches; `renormalise` as in `band`.
    """
    if window == 1:
        return tokens
    kernel = band(grid, window, sigma, renormalise=renormalise).to(tokens)
    patches = tokens[:, 1:].reshape(len(tokens), grid, grid, -1)  # (batch, grid, grid, channels)
    along_columns = (kernel @ patches.flatten(2)).view_as(patches)  # (batch, grid, grid · channels) inside
    return torch.cat([tokens[:, :1], (kernel @ along_columns).flatten(1, 2)], dim=1)
