"""AA-CLIP's losses: of the text stage, whose patches are frozen, and of the image stage, whose texts are frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import cross_entropy

from zsadbench_methods.parts.losses import dice, smoothed_focal

if TYPE_CHECKING:
    from zsadbench_methods.aaclip.options import Options


def map_terms(maps: Sequence[Tensor], masks: Tensor, options: Options) -> dict[str, Tensor]:
    """Compute `lNN_focal`, `lNN_dice_normal` and `lNN_dice_abnormal` of every layer.

    Args:
        maps: per layer, probabilities of "abnormal", (batch, size, size).
        masks: (batch, size, size) of 0 and 1.
        options: layers, exponent and smoothing of the focal term.
    """
    terms = {}
    for block, abnormal in zip(options.layers, maps, strict=True):
        name = f"l{block:02d}"
        terms[f"{name}_focal"] = smoothed_focal(abnormal, masks, options.focal_gamma, options.focal_smoothing)
        terms[f"{name}_dice_normal"] = dice(1 - abnormal, 1 - masks)
        terms[f"{name}_dice_abnormal"] = dice(abnormal, masks)
    return terms


def orthogonality(text: Tensor) -> Tensor:
    """Compute the squared mean over the batch of the cosine of both texts, (batch, 2, joint) → ()."""
    return (text[:, 0] * text[:, 1]).sum(dim=1).mean() ** 2


def image_term(feature: Tensor, text: Tensor, labels: Tensor, scale: float) -> Tensor:
    """Compute the cross-entropy of the image: (batch, joint), texts (batch, 2, joint), labels (batch,) → ()."""
    logits = scale * (text @ feature.unsqueeze(2)).squeeze(2)  # (batch, 2)
    return cross_entropy(logits, labels)
