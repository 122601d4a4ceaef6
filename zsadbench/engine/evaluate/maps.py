"""Turn a method's map into the evaluated anomaly map: enlarge it bilinearly, then smooth it with a Gaussian."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.engine.machine.to_host import to_host
from zsadbench.files import write_atomically
from zsadbench.records import map_path

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

AnomalyMap = NDArray[np.float32]  # (height, width)


def start_map(grid: Tensor, size: tuple[int, int], sigma: float) -> Callable[[], AnomalyMap]:
    """Start `smooth(enlarge(grid, size), sigma)` of one map on its device.

    Enlarging and smoothing are linear and separable, so together they are one small matrix per side, in float64. A grid
    that is not smaller than the map is smoothed by SciPy on the host, which is cheaper there. Both ways agree up to
    rounding.

    Args:
        grid: the method's map, (1, h, w), on any device.
        size: (height, width) of the result.
        sigma: standard deviation in pixels of the result; 0 for no smoothing.

    Returns:
        A function that waits for the result, float32 (height, width) on the host.
    """
    sides = tuple(grid.shape[-2:])
    if sigma <= 0 or any(side >= wanted for side, wanted in zip(sides, size, strict=True)):
        enlarged = to_host(_enlarged(grid.float(), size))
        return lambda: smooth(enlarged(), sigma)[0]
    rows, columns = (_operator(side, wanted, sigma).to(grid.device) for side, wanted in zip(sides, size, strict=True))
    finished = to_host((rows @ grid.double() @ columns.T).float())
    return lambda: finished()[0]


@lru_cache(maxsize=8)
def _operator(side: int, wanted: int, sigma: float) -> Tensor:
    """Return the matrix that enlarges `side` values to `wanted` and smooths them, float64 (wanted, side)."""
    import torch
    from scipy.ndimage import gaussian_filter1d
    from torch.nn.functional import interpolate

    with torch.inference_mode(mode=False):
        units = torch.eye(side, dtype=torch.float64).unsqueeze(1)
        lines = interpolate(units, wanted, mode="linear", align_corners=False).squeeze(1).T.numpy()
        return torch.from_numpy(gaussian_filter1d(lines, sigma, axis=0))


def enlarge(maps: Tensor, size: tuple[int, int]) -> NDArray[Any]:
    """Enlarge maps (batch, h, w) bilinearly, align_corners false; (batch, *size) of their type on the host."""
    return to_host(_enlarged(maps, size))()


def _enlarged(grid: Tensor, size: tuple[int, int]) -> Tensor:
    from torch.nn.functional import interpolate

    return interpolate(grid.unsqueeze(1), size, mode="bilinear", align_corners=False).squeeze(1)


def smooth(maps: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth maps (batch, height, width) one by one by SciPy's Gaussian with its defaults; sigma 0 changes nothing."""
    if sigma <= 0:
        return maps
    from scipy.ndimage import gaussian_filter

    return np.stack([gaussian_filter(anomaly_map, sigma=sigma) for anomaly_map in maps])


def save_maps(folder: Path, relative_paths: Sequence[str], maps: Sequence[AnomalyMap]) -> None:
    """Write each anomaly map as float32 `.npy` below `folder`, at the relative path of its image."""
    for relative, anomaly_map in zip(relative_paths, maps, strict=True):
        buffer = io.BytesIO()
        np.save(buffer, anomaly_map.astype(np.float32))
        write_atomically(map_path(folder, relative), buffer.getvalue())
