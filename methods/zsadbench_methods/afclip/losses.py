"""AF-CLIP's losses: focal on the image, focal and L1 on the patches, patch alignment; at patch resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zsadbench_methods.parts.losses import focal

if TYPE_CHECKING:
    from zsadbench.types import Batch, Scores
    from zsadbench_methods.afclip.options import Options


def patch_target(masks: Tensor, grid: int) -> Tensor:
    """(batch, size, size) masks in [0, 1] → (batch, grid, grid): 0 below one half, 1 above, one half left as it is.

    Resized bilinearly without antialiasing: for a patch of 14 pixels, the mean of the four in its middle.
    """
    small = interpolate(masks.unsqueeze(1), (grid, grid), mode="bilinear", align_corners=False).squeeze(1)
    return torch.where(small == 0.5, small, (small > 0.5).to(small.dtype))


class AliasedFocal(torch.autograd.Function):
    """The focal loss of the patches with the gradient that the published training had.

    There the alignment term writes −1 over the zeros of the target between the forward and the backward pass, in
    memory that both share. The loss is right, its derivative takes −1 for the target of a normal patch wherever it
    reads the target anew: in that of the cross-entropy, and in the product p·t of `p_t = p·t + (1 − p)(1 − t)`.
    """

    @staticmethod
    def forward(ctx: Any, probability: Tensor, target: Tensor, gamma: float) -> Tensor:
        """`focal(probability, target, gamma)`."""
        ctx.save_for_backward(probability, target)
        ctx.gamma = gamma
        return focal(probability, target, gamma)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Product rule with the overwritten target `seen`."""
        p, target = ctx.saved_tensors
        seen = torch.where(target == 0, -1.0, target)
        rest = 1 - (p * target + (1 - p) * (1 - target))  # 1 − p_t, from the forward pass
        cross_entropy = -(target * p.log().clamp_min(-100) + (1 - target) * (1 - p).log().clamp_min(-100))
        slope = (p - seen) / (p * (1 - p)).clamp_min(1e-12)  # of the cross-entropy, cut as torch cuts it
        turned = (1 - target) - seen  # minus the slope of p_t
        weight = ctx.gamma * rest ** (ctx.gamma - 1) * turned if ctx.gamma else torch.zeros_like(p)
        return gradients[0] * (slope * rest**ctx.gamma + cross_entropy * weight) / p.numel(), None, None


def loss_terms(scores: Scores, aligned: Tensor, batch: Batch, options: Options) -> dict[str, Tensor]:
    """Every term before its weight.

    Args:
        scores: image probabilities (batch,) and patch probabilities (batch, grid, grid).
        aligned: scalar, the alignment averaged over token sets.
        batch: the labels and masks.
        options: exponent of the focal terms, and whose gradient the one of the patches has.
    """
    target = patch_target(batch.masks, scores.pixel.shape[-1])
    labels = batch.labels.to(scores.image.dtype)
    alias = options.target_alias and options.alignment != "none"
    patch_focal = AliasedFocal.apply if alias else focal
    return {
        "image_focal": focal(scores.image, labels, options.focal_gamma),
        "pixel_focal": patch_focal(scores.pixel, target, options.focal_gamma),
        "pixel_l1": (scores.pixel - target).abs().mean(),
        "alignment": aligned,
    }


def weighted(terms: dict[str, Tensor], options: Options) -> dict[str, Tensor]:
    """The components whose sum is minimised."""
    return {
        "image_focal": terms["image_focal"],
        "pixel_focal_weighted": options.pixel_weight * terms["pixel_focal"],
        "pixel_l1_weighted": options.pixel_weight * terms["pixel_l1"],
        "alignment_weighted": options.alignment_weight * terms["alignment"],
    }
