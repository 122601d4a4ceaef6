"""FB-CLIP's training losses: focal on image and pixels, dice, and semantic consistency, SCR (§3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.losses import dice, enlarged, focal

if TYPE_CHECKING:
    from zsadbench.types import Batch, Scores
    from zsadbench_methods.fbclip.options import Options


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
    pixel = enlarged(scores.pixel, (masks.shape[-2], masks.shape[-1]))
    parts = {
        "image_focal": focal(scores.image, labels.to(scores.image.dtype), options.focal_gamma),
        "pixel_focal": focal(pixel, masks, options.focal_gamma),
        "pixel_dice_weighted": options.dice_weight * dice(pixel, masks),
    }
    if options.scr:
        scr = consistency(last, text, options.temperature, options.scr_margin)
        parts["consistency_weighted"] = options.scr_weight * scr
    return parts
