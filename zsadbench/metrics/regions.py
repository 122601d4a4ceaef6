"""The regions of a mask: anomalous pixels that touch by an edge or a corner.

Source: the connected components of `scipy.ndimage.label` and `skimage.measure.label` with the full
3 × 3 neighbourhood, which every published AUPRO uses.

A row of a mask is cut into runs of anomalous pixels, and runs of neighbouring rows that touch are
joined; a region is a set of runs. All that AUPRO needs of a region is its area, so every anomalous
pixel is given the area of its own region, and pixels of different images can never be confused.

Connectivity is 8. The runs are found by compiled code (numba), which is imported when a mask with an
anomalous pixel first arrives.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics._arguments import Bools


def label_regions(mask: ArrayLike) -> tuple[NDArray[np.int32], int]:
    """Number the regions of one mask from 1, in the order of their first pixel; 0 is normal.

    `mask` (height, width), anomalous where it is not zero. Returns int32 labels of that shape and the
    number of regions.

    >>> label_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])[1]
    2

    Raises:
        ValueError: the mask is not two-dimensional.
    """
    marks = np.asarray(mask) != 0
    if marks.ndim != 2:
        raise ValueError(f"mask must have the shape (height, width), not {marks.shape}")
    runs = _runs(marks)
    labels = np.zeros(marks.shape, np.int32)
    labels[marks] = np.repeat(runs[:, 2] + 1, runs[:, 1] - runs[:, 0])
    return labels, _number_of(runs)


def pixel_areas(mask: Bools) -> tuple[NDArray[np.uint32], int]:
    """The area of its own region for every anomalous pixel, in raster order, and the number of regions.

    `mask` is boolean (height, width); the areas are uint32 (anomalous pixels,).
    """
    runs = _runs(mask)
    lengths = runs[:, 1] - runs[:, 0]
    areas = np.zeros(_number_of(runs), np.uint32)
    np.add.at(areas, runs[:, 2], lengths.astype(np.uint32))
    return np.repeat(areas[runs[:, 2]], lengths), areas.size


def _runs(mask: Bools) -> NDArray[np.int64]:
    """Runs (k, 3) in raster order: first flat index, index after the last, region from 0."""
    if not mask.any():
        return np.empty((0, 3), np.int64)
    from zsadbench.metrics._regions_kernel import label_runs

    return label_runs(np.ascontiguousarray(mask))


def _number_of(runs: NDArray[np.int64]) -> int:
    return int(runs[:, 2].max()) + 1 if len(runs) else 0
