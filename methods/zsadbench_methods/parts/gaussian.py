"""The Gaussian that a method applies to its own map, where its image score needs the smoothed map (MRAD-TF)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=8)
def _operator(side: int, sigma: float) -> Tensor:
    """Return SciPy's `gaussian_filter1d` with its defaults as a matrix, float64 (side, side)."""
    from scipy.ndimage import gaussian_filter1d

    with torch.inference_mode(mode=False):
        return torch.from_numpy(gaussian_filter1d(torch.eye(side, dtype=torch.float64).numpy(), sigma, axis=0))


def smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Smooth maps (batch, height, width) as SciPy's `gaussian_filter` with its defaults does; computed in float64."""
    rows, columns = (_operator(side, sigma).to(maps.device) for side in maps.shape[1:])
    return (rows @ maps.double() @ columns.T).to(maps.dtype)
