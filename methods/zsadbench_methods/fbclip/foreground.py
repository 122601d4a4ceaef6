"""The soft foreground mask of one tapped layer, from four cues (§3.4, appendix B)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, pad

from zsadbench.errors import CellError

CUES = {"local_saliency": 0.30, "distance_to_mean": 0.30, "unlike_class_token": 0.30, "change_between_taps": 0.10}


class Foreground(NamedTuple):
    """The foreground mask of one layer; every tensor is (batch, patches).

    `score` is the smoothed sum of cues, `is_foreground` is True where it exceeds the threshold, `soft` is 1 on
    foreground and the background value elsewhere, `similarity` is the cosine of each patch with the class token.
    """

    score: Tensor
    is_foreground: Tensor
    soft: Tensor
    similarity: Tensor


def find_foreground(
    tokens: Tensor, previous: Tensor | None, *, threshold: float, smoothing: bool, background_value: float
) -> Foreground:
    """Find the foreground mask of one layer.

    Args:
        tokens: (batch, 1 + patches, width), the raw tokens of this layer.
        previous: those of the tapped layer before it, None for the first.
        threshold: a patch is foreground when its score is above this.
        smoothing: average the score over five patches of the raster sequence first.
        background_value: the soft mask of a background patch.

    Raises:
        CellError: there are too few patches to smooth over.
    """
    cls, patches = tokens[:, :1], tokens[:, 1:]
    similarity = cosine_similarity(patches, cls, dim=-1)  # (batch, patches)
    cues = scaled_cues(tokens, previous, similarity)
    score = torch.stack([CUES[name] * cue for name, cue in cues.items()]).sum(dim=0)  # a missing cue counts as 0
    if smoothing:
        score = _smooth(score)
    is_foreground = score > threshold
    soft = torch.where(is_foreground, 1.0, background_value)
    return Foreground(score, is_foreground, soft, similarity)


def scaled_cues(tokens: Tensor, previous: Tensor | None, similarity: Tensor) -> dict[str, Tensor]:
    """Compute the cues of a layer by name, (batch, patches) each, min-max scaled to [0, 1] over each image.

    The first layer has no tapped layer before it, so it has no `change_between_taps`. `tokens` and `previous` as in
    `find_foreground`, `similarity` as in `Foreground`.
    """
    patches = tokens[:, 1:]
    cues = {
        "local_saliency": _local_saliency(patches),
        "distance_to_mean": (patches - patches.mean(1, keepdim=True)).norm(dim=-1),
        "unlike_class_token": 1 - similarity,
    }
    if previous is not None:
        cues["change_between_taps"] = (patches - previous[:, 1:]).norm(dim=-1)
    return {name: _min_max_scaled(cue) for name, cue in cues.items()}


def _local_saliency(patches: Tensor) -> Tensor:
    """Distance to the mean of three neighbours in raster order; zeros beyond both ends, divisor 3: (batch, patches)."""
    padded = pad(patches, (0, 0, 1, 1))  # (batch, 1 + patches + 1, width)
    distance: Tensor = (patches - (padded[:, :-2] + patches + padded[:, 2:]) / 3).norm(dim=-1)
    return distance


def _min_max_scaled(cue: Tensor) -> Tensor:
    low, high = cue.amin(dim=1, keepdim=True), cue.amax(dim=1, keepdim=True)
    return (cue - low) / (high - low).clamp_min(1e-6)


def _smooth(score: Tensor) -> Tensor:
    """The mean over five patches of the raster sequence, reflected at both ends: (batch, patches)."""
    if score.shape[1] < 3:
        raise CellError(
            f"fbclip smooths its mask over neighbouring patches, and an image has {score.shape[1]} here; "
            "pass a larger --image-size, or -O mask_smoothing=false"
        )
    return pad(score.unsqueeze(1), (2, 2), mode="reflect").squeeze(1).unfold(1, 5, 1).mean(dim=-1)
