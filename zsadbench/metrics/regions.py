"""The regions of a mask: anomalous pixels that are connected by edges or corners.

Source: the connected components of `scipy.ndimage.label` and `skimage.measure.label` with the full
3 × 3 neighbourhood, which every published AUPRO uses.

A row of a mask is divided into runs of anomalous pixels, and runs of neighbouring rows that touch are joined; a region
is a set of runs. AUPRO needs only the area of a region, and pixels of different images are never connected.

Connectivity is 8 by default, or 4 for edges alone. Compiled code (numba) finds the runs.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity
from zsadbench.metrics.counting.arrays import Bools, Int64s


def label_regions(mask: ArrayLike, connectivity: int = 8) -> tuple[NDArray[np.int32], int]:
    """Number the regions of one mask from 1, in the order of their first pixel; 0 is normal.

    `mask` (height, width), anomalous where it is not zero. Returns int32 labels of that shape and the number of
    regions.

    >>> label_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])[1]
    2
    >>> label_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]], connectivity=4)[1]
    3

    Raises:
        ValueError: the mask is not two-dimensional, or the connectivity is neither 4 nor 8.
    """
    anomalous, runs, areas = _label(mask, connectivity)
    labels = np.zeros(anomalous.shape, np.int32)
    labels[anomalous] = np.repeat(runs[:, 2] + 1, runs[:, 1] - runs[:, 0])
    return labels, areas.size


def count_regions(mask: ArrayLike, connectivity: int = 8) -> int:
    """Count the regions of one mask; arguments and errors are those of `label_regions`.

    >>> count_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])
    2
    """
    return int(region_areas(mask, connectivity).size)


def region_areas(mask: ArrayLike, connectivity: int = 8) -> Int64s:
    """Return the area of each region of one mask in pixels, (regions,); arguments as in `label_regions`.

    >>> region_areas([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]]).tolist()
    [2, 3]
    """
    return _label(mask, connectivity)[2]


def _label(mask: ArrayLike, connectivity: int) -> tuple[Bools, Int64s, Int64s]:
    """Return where the mask is anomalous, the runs (runs, 3), and the areas of the regions (regions,)."""
    from zsadbench.metrics.counting.regions_kernel import label_runs

    corners = checked_connectivity(connectivity)
    anomalous = np.ascontiguousarray(np.asarray(mask) != 0)
    if anomalous.ndim != 2:
        raise ValueError(f"mask must have the shape (height, width), not {anomalous.shape}")
    return anomalous, *label_runs(anomalous.view(np.uint8), corners)
