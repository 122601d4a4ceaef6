"""MFP-CLIP's loss: focal and dice on the map, cross-entropy on the image score, for both passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from zsadbench_methods.parts.losses import dice, smoothed_focal

if TYPE_CHECKING:
    from zsadbench.types import Batch
    from zsadbench_methods.mfpclip.options import Options

EDGE = 1e-6  # probabilities of the cross-entropy are clamped to [1e-6, 1 − 1e-6]


def loss_terms(maps: list[Tensor], image: Tensor, batch: Batch, options: Options) -> dict[str, Tensor]:
    """Compute the weighted terms of one pass, whose sum is minimised; those of several maps are summed.

    Args:
        maps: probabilities of "abnormal", (batch, size, size) each.
        image: the same of the whole image, (batch,).
        batch: masks and labels.
        options: weights, exponent and smoothing of the focal term.
    """
    masks, zero = batch.masks, image.new_zeros(())
    focal = [smoothed_focal(one, masks, options.focal_gamma, options.focal_smoothing) for one in maps]
    cross_entropy = binary_cross_entropy(image.clamp(EDGE, 1 - EDGE), batch.labels.to(image.dtype))
    return {
        "focal": options.focal_weight * sum(focal, start=zero),
        "dice": options.dice_weight * sum((dice(one, masks) for one in maps), start=zero),
        "image_cross_entropy": options.image_weight * cross_entropy,
    }
