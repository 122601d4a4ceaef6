"""APRIL-GAN's losses: focal and dice on the enlarged map of every layer; no loss of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from zsadbench_methods.parts.losses import dice_of_few, smoothed_focal

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
        terms[f"dice_l{block:02d}"] = dice_of_few(probability, masks, by_row=options.dice_by_row)
    return terms
