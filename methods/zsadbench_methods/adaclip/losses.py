"""AdaCLIP's losses: focal on the image score; focal, and dice of both sides, on the enlarged map of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from zsadbench_methods.parts.losses import dice_of_few, smoothed_focal

if TYPE_CHECKING:
    from zsadbench.types import Batch
    from zsadbench_methods.adaclip.options import Options


def loss_terms(image: Tensor, maps: Sequence[Tensor], batch: Batch, options: Options) -> dict[str, Tensor]:
    """Compute every term, whose sum is minimised.

    `classification_focal` is of the image; `focal_lNN`, `dice_abnormal_lNN` and `dice_normal_lNN` are of a layer.

    Args:
        image: probabilities of "abnormal", (batch,).
        maps: per layer, the same of every pixel, (batch, size, size).
        batch: masks and labels.
        options: layers, exponent and smoothing of the focal terms, and how a single image is averaged.
    """

    def focal(probability: Tensor, target: Tensor) -> Tensor:
        return smoothed_focal(probability, target, options.focal_gamma, options.focal_smoothing)

    masks, by_row = batch.masks, options.dice_by_row
    terms = {"classification_focal": focal(image, batch.labels.to(image.dtype))}
    for block, abnormal in zip(options.layers, maps, strict=True):
        terms[f"focal_l{block:02d}"] = focal(abnormal, masks)
        terms[f"dice_abnormal_l{block:02d}"] = dice_of_few(abnormal, masks, by_row=by_row)
        terms[f"dice_normal_l{block:02d}"] = dice_of_few(1 - abnormal, 1 - masks, by_row=by_row)
    return terms
