"""APRIL-GAN's losses: focal and dice on the enlarged map of every layer; no loss of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from zsadbench_methods.parts.losses import dice, smoothed_focal

if TYPE_CHECKING:
    from zsadbench_methods.aprilgan.options import Options


def loss_terms(maps: Sequence[Tensor], masks: Tensor, options: Options) -> dict[str, Tensor]:
    """Compute both terms of every layer, `focal_lNN` and `dice_lNN`; their sum is minimised.

    Args:
        maps: per layer, probabilities of "abnormal", (batch, size, size).
        masks: (batch, size, size) of 0 and 1.
        options: layers, exponent and smoothing of the focal term, and how a single image is averaged.
    """
    terms = {}
    for block, probability in zip(options.layers, maps, strict=True):
        terms[f"focal_l{block:02d}"] = smoothed_focal(probability, masks, options.focal_gamma, options.focal_smoothing)
        terms[f"dice_l{block:02d}"] = _dice(probability, masks, by_row=options.dice_by_row)
    return terms


def _dice(probability: Tensor, masks: Tensor, *, by_row: bool) -> Tensor:
    """Compute the dice loss; the published code drops the batch axis of a single mask, so that rows take its place."""
    if by_row and len(masks) == 1:
        return dice(probability.transpose(0, 1), masks.transpose(0, 1))
    return dice(probability, masks)
