"""From a method's map to the map that is measured: enlarged, smoothed, cut to no image but its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsadbench.engine.machine.to_host import to_host

if TYPE_CHECKING:
    from torch import Tensor

Map = NDArray[np.float32]


def finish(grid: Tensor, size: tuple[int, int], sigma: float) -> Map:
    """`smooth(enlarge(grid, size), sigma)` up to rounding: (batch, h, w) on any device → float32 (batch, *size)."""
    return begin(grid, size, sigma)()


def begin(grid: Tensor, size: tuple[int, int], sigma: float) -> Callable[[], Map]:
    """As `finish`, made where the grid is and sent to the host; what is returned waits for it.

    Both are linear and go rows by rows and columns by columns, so together they are one small matrix a side, in double
    precision. A grid that is not smaller than the map is left to `smooth`, which is cheaper there.
    """
    sides = tuple(grid.shape[-2:])
    if sigma <= 0 or any(side >= wanted for side, wanted in zip(sides, size, strict=True)):
        enlarged = to_host(_enlarged(grid, size))
        return lambda: smooth(enlarged(), sigma)
    down, across = (_operator(side, wanted, sigma).to(grid.device) for side, wanted in zip(sides, size, strict=True))
    return to_host((down @ grid.double() @ across.T).float())


@lru_cache(maxsize=8)
def _operator(side: int, wanted: int, sigma: float) -> Tensor:
    """What enlarging `side` values to `wanted` and smoothing them makes of each, float64 (wanted, side)."""
    import torch
    from scipy.ndimage import gaussian_filter1d
    from torch.nn.functional import interpolate

    with torch.inference_mode(mode=False):
        units = torch.eye(side, dtype=torch.float64).unsqueeze(1)
        lines = interpolate(units, wanted, mode="linear", align_corners=False).squeeze(1).T.numpy()
        return torch.from_numpy(gaussian_filter1d(lines, sigma, axis=0))


def enlarge(grid: Tensor, size: tuple[int, int]) -> Map:
    """Bilinear, align_corners false: (batch, h, w) on any device → float32 (batch, *size) on the host."""
    return to_host(_enlarged(grid, size))()


def _enlarged(grid: Tensor, size: tuple[int, int]) -> Tensor:
    from torch.nn.functional import interpolate

    return interpolate(grid.float().unsqueeze(1), size, mode="bilinear", align_corners=False).squeeze(1)


def smooth(maps: Map, sigma: float) -> Map:
    """SciPy's Gaussian of each (height, width) map with its defaults; sigma 0 leaves the maps alone."""
    if sigma <= 0:
        return maps
    from scipy.ndimage import gaussian_filter

    return np.stack([gaussian_filter(one, sigma=sigma) for one in maps])
