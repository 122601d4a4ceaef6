"""FAPrompt's losses: both maps, the image, prompts that differ from each other, and no prior on normal images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from zsadbench_methods.parts.losses import dice, focal, smoothed_focal, upsample_map

if TYPE_CHECKING:
    from zsadbench.types import Batch
    from zsadbench_methods.faprompt.options import Options
    from zsadbench_methods.faprompt.passes import Passes


def loss_terms(passes: Passes, grid: int, batch: Batch, options: Options) -> dict[str, Tensor]:
    """Compute every term before its weight: scalars by name.

    Args:
        passes: of the batch; gradients go through the texts of both.
        grid: side of the patch grid.
        batch: the labels and masks.
        options: exponent and smoothing of the focal terms, and how that of the image reads the image score.
    """
    masks, labels = batch.masks, batch.labels.to(passes.logit.dtype)
    score = passes.image.sigmoid() if options.probability_as_logit else passes.image.clamp(0, 1)
    terms = {}
    for name, probability in (("pass1", passes.first_map), ("pass2", passes.second_map)):
        full = upsample_map(probability.view(-1, grid, grid), (masks.shape[-2], masks.shape[-1]))
        terms[f"{name}_focal"] = smoothed_focal(full, masks, options.focal_gamma, options.focal_smoothing)
        terms[f"{name}_dice_abnormal"] = dice(full, masks)
        terms[f"{name}_dice_normal"] = dice(1 - full, 1 - masks)
    return terms | {
        "image_cross_entropy": binary_cross_entropy_with_logits(passes.logit, labels),
        "image_focal": focal(score, labels, options.focal_gamma),
        "orthogonality": orthogonality(passes.abnormal),
        "prior": ((1 - labels) * passes.prior.square().mean(dim=1)).sum(),
    }


def orthogonality(features: Tensor) -> Tensor:
    """Sum |cos| over all pairs of rows of `features`, (prompts, joint)."""
    unit = normalize(features, dim=-1)
    return (unit @ unit.T).triu(diagonal=1).abs().sum()


def weighted(terms: dict[str, Tensor], options: Options) -> dict[str, Tensor]:
    """Weight the terms of `loss_terms`: the components whose sum is minimised."""
    first, second = (
        terms[f"{name}_focal"] + terms[f"{name}_dice_abnormal"] + terms[f"{name}_dice_normal"]
        for name in ("pass1", "pass2")
    )
    return {
        "pass1_total": first,
        "pass2_total_weighted": options.pass2_weight * second,
        "image_weighted": options.image_weight * (terms["image_cross_entropy"] + terms["image_focal"]),
        "orthogonality_weighted": options.orthogonality_weight * terms["orthogonality"],
        "prior_weighted": options.prior_weight * terms["prior"],
    }
