"""FB-CLIP's training losses: focal on image and pixels, dice, and semantic consistency, SCR (§3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.losses import dice, focal, upsample_map

if TYPE_CHECKING:
    from zsadbench.types import Batch, Scores
    from zsadbench_methods.fbclip.options import Options


def consistency(features: Tensor, text: Tensor, temperature: float, margin: float) -> Tensor:
    """Compute SCR before its weight: the entropy of the mean feature's probabilities, plus half a hinge on their gap.

    Args:
        features: (batch, tokens, joint), of the last layer and view, suppressed and projected, not normalised.
        text: (2, joint) unit rows.
        temperature: divides the cosines.
        margin: wanted gap between the two scaled cosines.

    Returns:
        A scalar.
    """
    logits = normalize(features.mean(dim=1), dim=-1) @ text.T / temperature  # (batch, 2)
    probability = logits.softmax(dim=-1)
    entropy = -(probability * (probability + 1e-8).log()).sum(dim=-1).mean()
    hinge = (margin - (logits[:, 1] - logits[:, 0]).abs()).relu().mean()
    return entropy + 0.5 * hinge


def all_losses(
    scores: Scores, last_features: Tensor, text: Tensor, batch: Batch, options: Options
) -> dict[str, Tensor]:
    """Compute every component of the loss; the map is first resized to the masks, without smoothing.

    Args:
        scores: image probabilities (batch,) and patch probabilities (batch, grid, grid).
        last_features: (batch, tokens, joint), the features of the last layer and view.
        text: (2, joint) unit rows.
        batch: the labels and masks.
        options: the weights of the components.

    Returns:
        Scalars by name; their sum is minimised.
    """
    labels, masks = batch.labels, batch.masks
    pixel = upsample_map(scores.pixel, (masks.shape[-2], masks.shape[-1]))  # (batch, size, size)
    losses = {
        "image_focal": focal(scores.image, labels.to(scores.image.dtype), options.focal_gamma),
        "pixel_focal": focal(pixel, masks, options.focal_gamma),
        "pixel_dice_weighted": options.dice_weight * dice(pixel, masks),
    }
    if options.scr:
        scr = consistency(last_features, text, options.temperature, options.scr_margin)
        losses["consistency_weighted"] = options.scr_weight * scr
    return losses
