"""From a method's map to the map that is measured: enlarged, smoothed, cut to no image but its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Map = NDArray[np.float32]


def enlarge(grid: Tensor, size: tuple[int, int]) -> Map:
    """Bilinear, align_corners false: (batch, h, w) on any device → float32 (batch, *size) on the host."""
    from torch.nn.functional import interpolate

    full = interpolate(grid.float().unsqueeze(1), size, mode="bilinear", align_corners=False).squeeze(1)
    enlarged: Map = full.cpu().numpy()
    return enlarged


def smooth(maps: Map, sigma: float) -> Map:
    """SciPy's Gaussian of each (height, width) map with its defaults; sigma 0 leaves the maps alone."""
    if sigma <= 0:
        return maps
    from scipy.ndimage import gaussian_filter

    return np.stack([gaussian_filter(one, sigma=sigma) for one in maps])
