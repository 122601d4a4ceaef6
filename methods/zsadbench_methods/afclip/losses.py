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
    """Reduce masks in [0, 1] to patches, (batch, size, size) → (batch, grid, grid): 0 below one half, 1 above.

    A value of exactly one half is kept. Masks are resized bilinearly without antialiasing: the value of a patch of 14
    pixels is the mean of the four pixels in its middle.
    """
    small = interpolate(masks.unsqueeze(1), (grid, grid), mode="bilinear", align_corners=False).squeeze(1)
    return torch.where(small == 0.5, small, (small > 0.5).to(small.dtype))


class AliasedFocal(torch.autograd.Function):
    """The focal loss of the patches with the gradient that the published training had.

    In the published code the alignment term writes −1 over the zeros of the target between the forward and the backward
    pass, and both share this memory. The loss is right, but its derivative uses −1 as the target of a normal patch
    wherever it reads the target again: in the cross-entropy, and in the product p·t of `p_t = p·t + (1 − p)(1 − t)`.
    """

    @staticmethod
    def forward(ctx: Any, probability: Tensor, target: Tensor, gamma: float) -> Tensor:
        """Compute `focal(probability, target, gamma)`."""
        ctx.save_for_backward(probability, target)
        ctx.gamma = gamma
        return focal(probability, target, gamma)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Apply the product rule with the `overwritten` target."""
        p, target = ctx.saved_tensors
        overwritten = torch.where(target == 0, -1.0, target)
        rest = 1 - (p * target + (1 - p) * (1 - target))  # 1 − p_t, from the forward pass
        cross_entropy = -(target * p.log().clamp_min(-100) + (1 - target) * (1 - p).log().clamp_min(-100))
        slope = (p - overwritten) / (p * (1 - p)).clamp_min(1e-12)  # of the cross-entropy, clamped as in PyTorch
        rest_slope = (1 - target) - overwritten
        weight = ctx.gamma * rest ** (ctx.gamma - 1) * rest_slope if ctx.gamma else torch.zeros_like(p)
        return gradients[0] * (slope * rest**ctx.gamma + cross_entropy * weight) / p.numel(), None, None


def loss_terms(scores: Scores, mean_alignment: Tensor, batch: Batch, options: Options) -> dict[str, Tensor]:
    """Compute every term before its weight.

    Args:
        scores: image probabilities (batch,) and patch probabilities (batch, grid, grid).
        mean_alignment: scalar, the alignment averaged over token sets.
        batch: the labels and masks.
        options: exponent of the focal terms, and which gradient that of the patches has.

    Returns:
        Scalars by name.
    """
    target = patch_target(batch.masks, scores.pixel.shape[-1])  # (batch, grid, grid)
    labels = batch.labels.to(scores.image.dtype)
    alias = options.target_alias and options.alignment != "none"
    patch_focal = AliasedFocal.apply if alias else focal
    return {
        "image_focal": focal(scores.image, labels, options.focal_gamma),
        "pixel_focal": patch_focal(scores.pixel, target, options.focal_gamma),
        "pixel_l1": (scores.pixel - target).abs().mean(),
        "alignment": mean_alignment,
    }


def weighted(terms: dict[str, Tensor], options: Options) -> dict[str, Tensor]:
    """Weight the terms of `loss_terms`: the components whose sum is minimised."""
    return {
        "image_focal": terms["image_focal"],
        "pixel_focal_weighted": options.pixel_weight * terms["pixel_focal"],
        "pixel_l1_weighted": options.pixel_weight * terms["pixel_l1"],
        "alignment_weighted": options.alignment_weight * terms["alignment"],
    }
