"""Losses on probabilities that several papers train with."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy, interpolate


def focal(probability: Tensor, target: Tensor, gamma: float) -> Tensor:
    """`mean(BCE · (1 − p_t)^γ)` over all elements; logarithms are cut at -100 (FB-CLIP, AF-CLIP)."""
    matched = probability * target + (1 - probability) * (1 - target)
    cross_entropy = binary_cross_entropy(probability, target, reduction="none")
    return (cross_entropy * (1 - matched) ** gamma).mean()


def dice(probability: Tensor, target: Tensor) -> Tensor:
    """`1 − mean_b (2·Σ Â·M + 1) / (Σ Â + Σ M + 1)` over (batch, height, width) (FB-CLIP, AnomalyCLIP)."""
    overlap = (probability * target).sum(dim=(1, 2))
    total = probability.sum(dim=(1, 2)) + target.sum(dim=(1, 2))
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()


def enlarged(probability: Tensor, size: tuple[int, int]) -> Tensor:
    """A map of probabilities, (batch, h, w), at the size of the masks: bilinear, align_corners false."""
    full = interpolate(probability.unsqueeze(1), size, mode="bilinear", align_corners=False).squeeze(1)
    return full.clamp(0.0, 1.0)  # interpolation may round a hair past 1, which the logarithm refuses
