"""AnomalyCLIP's glocal losses: cross-entropy on the whole image, focal and dice on the patches of every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from zsadbench_methods.parts.losses import dice, smoothed_focal, upsample_map

if TYPE_CHECKING:
    from zsadbench.types import Batch
    from zsadbench_methods.anomalyclip.options import Options


def loss_terms(logit: Tensor, maps: Tensor, batch: Batch, options: Options) -> dict[str, Tensor]:
    """Compute the four terms before their weights; those of the pixels are summed over layers.

    Args:
        logit: (batch,), of "abnormal" against "normal" for the whole image.
        maps: (batch, layers, grid, grid), probabilities of "abnormal".
        batch: the labels and masks.
        options: exponent and smoothing of the focal term.

    Returns:
        Scalars by name.
    """
    masks, zero = batch.masks, logit.new_zeros(())
    upsampled = [upsample_map(layer_map, (masks.shape[-2], masks.shape[-1])) for layer_map in maps.unbind(dim=1)]
    focal = [smoothed_focal(full, masks, options.focal_gamma, options.focal_smoothing) for full in upsampled]
    return {
        "image_cross_entropy": binary_cross_entropy_with_logits(logit, batch.labels.to(logit.dtype)),
        "pixel_focal": sum(focal, start=zero),
        "pixel_dice_abnormal": sum((dice(full, masks) for full in upsampled), start=zero),
        "pixel_dice_normal": sum((dice(1 - full, 1 - masks) for full in upsampled), start=zero),
    }


def weighted(terms: dict[str, Tensor], options: Options) -> dict[str, Tensor]:
    """Weight the terms of `loss_terms`: the components whose sum is minimised."""
    pixel = terms["pixel_focal"] + terms["pixel_dice_abnormal"] + terms["pixel_dice_normal"]
    return {
        "image_cross_entropy_weighted": options.image_weight * terms["image_cross_entropy"],
        "pixel_total_weighted": options.pixel_weight * pixel,
    }
