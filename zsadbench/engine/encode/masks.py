"""Resize masks by the protocol's rule, and count the regions before, and what vanishes: masks and regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsadbench.data import resize_mask_as_opencv, resize_mask_nearest, soften_mask
from zsadbench.metrics import label_regions
from zsadbench.protocol import EvaluationProtocol

Mask = NDArray[np.uint8]  # (height, width) of 0 and 1

RULES: dict[str, Callable[[Mask, int], Mask]] = {
    "nearest": resize_mask_nearest,
    "opencv-1024-nearest": resize_mask_as_opencv,
    "bilinear-half": soften_mask,
    "bicubic-half": partial(soften_mask, bicubic=True),
    "none": lambda mask, _: mask,
}


def resize_mask(mask: Mask, protocol: EvaluationProtocol, size: int) -> Mask:
    """Resize a mask (height, width) to (size, size) by the protocol's rule; a rule may keep the native size."""
    return RULES[protocol.mask_resize](mask, size)


NO_REGIONS = {"regions_native": 0, "regions_lost": 0, "masks_emptied": 0}


def region_counts(native: Sequence[Mask], resized: Sequence[Mask], rule: str = "nearest") -> dict[str, int]:
    """Count the regions of masks at native size, those that vanish by resizing, and the masks that become blank.

    A region vanishes if no pixel of the resized mask is anomalous where the region lies; `rule` is the protocol's rule
    of resizing.
    """
    counts = dict(NO_REGIONS)
    for before, after in zip(native, resized, strict=True):
        labels, number = label_regions(before)
        counts["regions_native"] += int(number)
        counts["regions_lost"] += int(number) - _surviving(labels, after, rule)
        counts["masks_emptied"] += int(number > 0 and not after.any())
    return counts


def _surviving(labels: NDArray[np.int32], resized: Mask, rule: str) -> int:
    """The number of regions, labelled at native size, where the resized mask is anomalous."""
    (rows, columns), size = labels.shape, resized.shape
    if rule == "nearest" and size != labels.shape:
        small = np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))
        return len(np.unique(small[small > 0]))
    down, right = np.nonzero(resized)  # of a larger mask, the pixels that lie in a region
    above = labels[(2 * down + 1) * rows // (2 * size[0]), (2 * right + 1) * columns // (2 * size[1])]
    down, right = np.nonzero(labels)  # of a smaller mask, the pixels in which a region lies
    below = labels[down, right] * (resized[down * size[0] // rows, right * size[1] // columns] > 0)
    return int(np.count_nonzero(np.unique(np.concatenate([above, below]))))
