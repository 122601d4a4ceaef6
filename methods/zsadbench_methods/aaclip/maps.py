"""From cosines on the patch grid to the anomaly map: blur on the grid, enlarge, add up."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

BLUR = {"industrial": (7, 1.0), "medical": (9, 1.5)}  # side of the kernel, and sigma, in patches


def blur(grids: Tensor, domain: str) -> Tensor:
    """Smooth maps, (batch, grid, grid), with a separable Gaussian of the domain; borders are mirrored.

    A kernel that reaches over a small grid is cut to it.
    """
    side, sigma = BLUR[domain]
    reach = min(side // 2, grids.shape[-1] - 1)
    places = torch.arange(-reach, reach + 1, dtype=grids.dtype, device=grids.device)
    kernel = torch.exp(-(places**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = pad(grids.unsqueeze(1), (reach,) * 4, mode="reflect")
    rows = conv2d(padded, kernel.view(1, 1, 1, -1))
    return conv2d(rows, kernel.view(1, 1, -1, 1)).squeeze(1)


def enlarge(grids: Tensor, size: int, *, corners: bool) -> Tensor:
    """Resize maps bilinearly: (batch, grid, grid) → (batch, size, size)."""
    return interpolate(grids.unsqueeze(1), (size, size), mode="bilinear", align_corners=corners).squeeze(1)
