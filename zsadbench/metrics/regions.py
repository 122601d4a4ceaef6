"""The regions of a mask: anomalous pixels that touch by an edge or a corner.

Source: the connected components of `scipy.ndimage.label` and `skimage.measure.label` with the full
3 × 3 neighbourhood, which every published AUPRO uses.

A row of a mask is cut into runs of anomalous pixels, and runs of neighbouring rows that touch are
joined; a region is a set of runs. All that AUPRO needs of a region is its area, and pixels of different
images can never be confused.

Connectivity is 8 unless 4, edges alone, is asked for. The runs are found by compiled code (numba).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity


def label_regions(mask: ArrayLike, connectivity: int = 8) -> tuple[NDArray[np.int32], int]:
    """Number the regions of one mask from 1, in the order of their first pixel; 0 is normal.

    `mask` (height, width), anomalous where it is not zero. Returns int32 labels of that shape and the
    number of regions.

    >>> label_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])[1]
    2
    >>> label_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]], connectivity=4)[1]
    3

    Raises:
        ValueError: the mask is not two-dimensional, or the connectivity neither 4 nor 8.
    """
    marks, runs, areas = _labelled(mask, connectivity)
    labels = np.zeros(marks.shape, np.int32)
    labels[marks] = np.repeat(runs[:, 2] + 1, runs[:, 1] - runs[:, 0])
    return labels, areas.size


def count_regions(mask: ArrayLike, connectivity: int = 8) -> int:
    """The number of regions of one mask; arguments and errors are those of `label_regions`.

    >>> count_regions([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])
    2
    """
    return int(region_areas(mask, connectivity).size)


def region_areas(mask: ArrayLike, connectivity: int = 8) -> NDArray[np.int64]:
    """The pixels of each region of one mask, (regions,); arguments and errors are those of `label_regions`.

    >>> region_areas([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]]).tolist()
    [2, 3]
    """
    return _labelled(mask, connectivity)[2]


def _labelled(mask: ArrayLike, connectivity: int) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    from zsadbench.metrics.counting.regions_kernel import label_runs

    corners = checked_connectivity(connectivity)
    marks = np.ascontiguousarray(np.asarray(mask) != 0)
    if marks.ndim != 2:
        raise ValueError(f"mask must have the shape (height, width), not {marks.shape}")
    return marks, *label_runs(marks.view(np.uint8), corners)
