"""Losses on probabilities that several papers train with."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy, interpolate


def focal(probability: Tensor, target: Tensor, gamma: float) -> Tensor:
    """Compute the focal loss `mean(BCE · (1 − p_t)^γ)` over all elements (FB-CLIP, AF-CLIP, FAPrompt).

    `probability` and `target` have the same shape. Logarithms are clamped at −100, as in PyTorch.
    """
    matched = probability * target + (1 - probability) * (1 - target)  # p_t
    cross_entropy = binary_cross_entropy(probability, target, reduction="none")
    return (cross_entropy * (1 - matched) ** gamma).mean()


def smoothed_focal(probability: Tensor, target: Tensor, gamma: float, smoothing: float) -> Tensor:
    """Compute the focal loss `mean(−(1 − π)^γ · ln π)`, with π the probability of the target's class
    (AnomalyCLIP, APRIL-GAN, FAPrompt, AdaCLIP).

    The target is first clamped to [s, 1 − s], with s the smoothing; s is also added to π.
    """
    soft = target.clamp(smoothing, 1 - smoothing)
    matched = soft * probability + (1 - soft) * (1 - probability) + smoothing  # π
    return -((1 - matched) ** gamma * matched.log()).mean()


def dice(probability: Tensor, target: Tensor) -> Tensor:
    """Compute the dice loss `1 − mean_b (2·Σ Â·M + 1) / (Σ Â + Σ M + 1)` (FB-CLIP, AnomalyCLIP, FAPrompt).

    `probability` Â and `target` M are (batch, height, width); the sums run over the pixels of one image.
    """
    overlap = (probability * target).sum(dim=(1, 2))  # (batch,)
    total = probability.sum(dim=(1, 2)) + target.sum(dim=(1, 2))  # (batch,)
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()


def dice_of_few(probability: Tensor, target: Tensor, *, by_row: bool) -> Tensor:
    """Compute the dice loss; with `by_row`, that of a single image is a mean over its rows (APRIL-GAN, AdaCLIP).

    The published code of both drops the batch axis of a single mask, so that rows take its place.
    """
    if by_row and len(target) == 1:
        return dice(probability.transpose(0, 1), target.transpose(0, 1))
    return dice(probability, target)


def upsample_map(probability: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a map of probabilities, (batch, h, w), to the size of the masks: bilinear, align_corners false."""
    full = interpolate(probability.unsqueeze(1), size, mode="bilinear", align_corners=False).squeeze(1)
    return full.clamp(0.0, 1.0)  # interpolation may round slightly above 1, where the logarithm is undefined
