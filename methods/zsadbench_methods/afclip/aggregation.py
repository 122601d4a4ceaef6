"""Spatial aggregation: every patch becomes the Gaussian mean of the square around it.

The two-dimensional kernel is the outer product of a one-dimensional one with itself, so the filter is two
multiplications with a band matrix, one along the columns and one along the rows: no unfolded windows, which
would take 25 times the tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor


def band(grid: int, window: int, sigma: float, *, renormalise: bool) -> Tensor:
    """The one-dimensional filter as a (grid, grid) matrix.

    Its weights are `exp(−d²/2σ²)` up to (window − 1)/2 patches away, divided by the sum over a whole window. At the
    border zeros fill the window up, unless `renormalise` divides by what lies inside.
    """
    reach = window // 2
    whole = _gaussian(torch.arange(-reach, reach + 1), sigma).sum()
    distance = (torch.arange(grid).unsqueeze(0) - torch.arange(grid).unsqueeze(1)).abs()
    weights = _gaussian(distance, sigma).masked_fill(distance > reach, 0.0)
    return (weights / (weights.sum(dim=1, keepdim=True) if renormalise else whole)).float()


def _gaussian(distance: Tensor, sigma: float) -> Tensor:
    return torch.exp(-(distance.double() ** 2) / (2 * sigma**2))


def aggregate(tokens: Tensor, grid: int, window: int, sigma: float, *, renormalise: bool = False) -> Tensor:
    """(batch, 1 + grid², width) → the same; the class token passes untouched, as does all for a window of 1."""
    if window == 1:
        return tokens
    filter_ = band(grid, window, sigma, renormalise=renormalise).to(tokens)
    rows = tokens[:, 1:].reshape(len(tokens), grid, grid, -1)  # (batch, grid, grid, width)
    down = (filter_ @ rows.flatten(2)).view_as(rows)
    return torch.cat([tokens[:, :1], (filter_ @ down).flatten(1, 2)], dim=1)
