"""FB-CLIP's training losses: focal on image and pixels, dice, and semantic consistency, SCR (§3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import binary_cross_entropy, interpolate, normalize

if TYPE_CHECKING:
    from zsadbench.types import Batch, Scores
    from zsadbench_methods.fbclip.options import Options


def focal(probability: Tensor, target: Tensor, gamma: float) -> Tensor:
    """`mean(BCE · (1 − p_t)^γ)` over all elements; logarithms are cut at -100."""
    matched = probability * target + (1 - probability) * (1 - target)
    cross_entropy = binary_cross_entropy(probability, target, reduction="none")
    return (cross_entropy * (1 - matched) ** gamma).mean()


def dice(probability: Tensor, target: Tensor) -> Tensor:
    """`1 − mean_b (2·Σ Â·M + 1) / (Σ Â + Σ M + 1)` over (batch, height, width)."""
    overlap = (probability * target).sum(dim=(1, 2))
    total = probability.sum(dim=(1, 2)) + target.sum(dim=(1, 2))
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()


def consistency(tokens: Tensor, text: Tensor, temperature: float, margin: float) -> Tensor:
    """SCR before its weight: entropy plus half a margin hinge on the mean token of the last group.

    Args:
        tokens: (batch, tokens, joint), suppressed and projected, not normalised.
        text: (2, joint) unit rows.
        temperature: divides the cosines.
        margin: wanted gap between the two scaled cosines.
    """
    logits = normalize(tokens.mean(dim=1), dim=-1) @ text.T / temperature  # (batch, 2)
    probability = logits.softmax(dim=-1)
    entropy = -(probability * (probability + 1e-8).log()).sum(dim=-1).mean()
    hinge = (margin - (logits[:, 1] - logits[:, 0]).abs()).relu().mean()
    return entropy + 0.5 * hinge


def all_losses(scores: Scores, last: Tensor, text: Tensor, batch: Batch, options: Options) -> dict[str, Tensor]:
    """Every component of the loss; the map is enlarged to the masks first, without smoothing.

    Args:
        scores: image probabilities (batch,) and patch probabilities (batch, grid, grid).
        last: (batch, tokens, joint), the projected tokens of the last group.
        text: (2, joint) unit rows.
        batch: the labels and masks.
        options: the weights of the parts.
    """
    labels, masks = batch.labels, batch.masks
    pixel = interpolate(scores.pixel.unsqueeze(1), masks.shape[-2:], mode="bilinear", align_corners=False).squeeze(1)
    pixel = pixel.clamp(0.0, 1.0)  # interpolation may round a hair past 1, which the logarithm refuses
    parts = {
        "image_focal": focal(scores.image, labels.to(scores.image.dtype), options.focal_gamma),
        "pixel_focal": focal(pixel, masks, options.focal_gamma),
        "pixel_dice_weighted": options.dice_weight * dice(pixel, masks),
    }
    if options.scr:
        scr = consistency(last, text, options.temperature, options.scr_margin)
        parts["consistency_weighted"] = options.scr_weight * scr
    return parts
