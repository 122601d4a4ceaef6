"""Resize masks by the protocol's rule, and count the regions before, and what vanishes: masks and regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsadbench.data import resize_mask_nearest, soften_mask
from zsadbench.metrics import label_regions
from zsadbench.protocol import EvaluationProtocol

Mask = NDArray[np.uint8]  # (height, width) of 0 and 1

RULES: dict[str, Callable[[Mask, int], Mask]] = {
    "nearest": resize_mask_nearest,
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
        counts["regions_native"] += number
        counts["regions_lost"] += number - _surviving(labels, after, rule) if number else 0
        counts["masks_emptied"] += bool(number) and not after.any()
    return counts


def _surviving(labels: NDArray[np.int32], resized: Mask, rule: str) -> int:
    """The number of regions, labelled at native size, of which the resized mask has a pixel."""
    (height, width), (rows, columns) = resized.shape, np.nonzero(labels)
    if rule == "nearest" and resized.shape != labels.shape:
        small = np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))
        return len(np.unique(small[small > 0]))
    found = resized[rows * height // labels.shape[0], columns * width // labels.shape[1]] > 0
    return len(np.unique(labels[rows, columns][found]))
