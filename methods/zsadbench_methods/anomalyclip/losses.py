"""AnomalyCLIP's glocal losses: one on the whole image, focal and dice on the patches of every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from zsadbench_methods.parts.losses import dice, enlarged

if TYPE_CHECKING:
    from zsadbench.types import Batch
    from zsadbench_methods.anomalyclip.options import Options


def smoothed_focal(probability: Tensor, target: Tensor, gamma: float, smoothing: float) -> Tensor:
    """`mean(−(1 − π)^γ · ln π)`, with π the probability of the target's class.

    The target is first drawn into [s, 1 − s]; another s is added to π before the logarithm.
    """
    soft = target.clamp(smoothing, 1 - smoothing)
    matched = soft * probability + (1 - soft) * (1 - probability) + smoothing
    return -((1 - matched) ** gamma * matched.log()).mean()


def loss_terms(logit: Tensor, maps: Tensor, batch: Batch, options: Options) -> dict[str, Tensor]:
    """The four terms before their weights, those of pixels summed over layers.

    Args:
        logit: (batch,) of "abnormal" against "normal" for the whole image.
        maps: (batch, layers, grid, grid) probabilities of "abnormal".
        batch: the labels and masks.
        options: exponent and smoothing of the focal term.
    """
    masks = batch.masks
    terms = {"image_cross_entropy": binary_cross_entropy_with_logits(logit, batch.labels.to(logit.dtype))}
    full = [enlarged(one, (masks.shape[-2], masks.shape[-1])) for one in maps.unbind(dim=1)]
    focal = [smoothed_focal(one, masks, options.focal_gamma, options.focal_smoothing) for one in full]
    terms["pixel_focal"] = sum(focal, start=logit.new_zeros(()))
    terms["pixel_dice_abnormal"] = sum((dice(one, masks) for one in full), start=logit.new_zeros(()))
    terms["pixel_dice_normal"] = sum((dice(1 - one, 1 - masks) for one in full), start=logit.new_zeros(()))
    return terms


def weighted(terms: dict[str, Tensor], options: Options) -> dict[str, Tensor]:
    """The components whose sum is minimised."""
    pixel = terms["pixel_focal"] + terms["pixel_dice_abnormal"] + terms["pixel_dice_normal"]
    return {
        "image_cross_entropy_weighted": options.image_weight * terms["image_cross_entropy"],
        "pixel_total_weighted": options.pixel_weight * pixel,
    }
