"""Resize masks by the protocol's rule, and count the regions before and the masks that are blank afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zsadbench.data import resize_mask_nearest, soften_mask
from zsadbench.metrics import count_regions
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


def region_counts(native: Sequence[Mask], resized: Sequence[Mask]) -> dict[str, int]:
    """Count the regions of masks at native size, and the anomalous masks that are blank after resizing."""
    pairs = [(before, after) for before, after in zip(native, resized, strict=True) if before.any()]
    return {
        "regions_native": sum(count_regions(before) for before, _ in pairs),
        "masks_emptied": sum(not after.any() for _, after in pairs),
    }
