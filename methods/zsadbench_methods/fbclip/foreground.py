"""The soft foreground mask of one tapped layer, from four cues (§3.4, appendix B)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, pad

from zsadbench.errors import CellError

CUES = {"local_saliency": 0.30, "distance_to_mean": 0.30, "unlike_class_token": 0.30, "change_between_taps": 0.10}


class Foreground(NamedTuple):
    """What MVFBE knows about the patches of one layer; all (batch, patches).

    `score` is the smoothed sum of cues, `is_foreground` its cut, `soft` is 1 on foreground and the
    background value elsewhere, `similarity` is the cosine of each patch with the class token.
    """

    score: Tensor
    is_foreground: Tensor
    soft: Tensor
    similarity: Tensor


def find_foreground(
    tokens: Tensor, previous: Tensor | None, *, threshold: float, smoothing: bool, background_value: float
) -> Foreground:
    """Mark the foreground of one layer.

    Args:
        tokens: (batch, 1 + patches, width), the raw taps of this layer.
        previous: those of the tap before it, None for the first.
        threshold: a patch is foreground when its score is above this.
        smoothing: average the score over five patches of the raster sequence first.
        background_value: the soft mask of a background patch.

    Raises:
        CellError: there are too few patches to smooth over.
    """
    cls, patches = tokens[:, :1], tokens[:, 1:]
    similarity = cosine_similarity(patches, cls, dim=-1)
    score = sum_cues(_raw_cues(patches, similarity, previous))
    if smoothing:
        score = _smoothed(score)
    is_foreground = score > threshold
    soft = torch.where(is_foreground, 1.0, background_value)
    return Foreground(score, is_foreground, soft, similarity)


def _smoothed(score: Tensor) -> Tensor:
    """The mean over five patches of the raster sequence, which is reflected at its ends: (batch, patches)."""
    if score.shape[1] < 3:
        raise CellError(
            f"fbclip smooths its mask over neighbouring patches, and an image has {score.shape[1]} here; "
            "pass a larger --image-size, or -O mask_smoothing=false"
        )
    return pad(score.unsqueeze(1), (2, 2), mode="reflect").squeeze(1).unfold(1, 5, 1).mean(dim=-1)


def sum_cues(cues: tuple[Tensor | None, ...]) -> Tensor:
    """Each cue min-max scaled over the patches of its image, then weighted; a missing cue counts 0."""
    terms = [weight * _scaled(cue) for weight, cue in zip(CUES.values(), cues, strict=True) if cue is not None]
    return torch.stack(terms).sum(dim=0)


def scaled_cues(tokens: Tensor, previous: Tensor | None, similarity: Tensor) -> dict[str, Tensor]:
    """The cues of a layer by name, each min-max scaled over the patches of its image: (batch, patches) in [0, 1].

    The first layer has no tap before it, so it has no change between taps. `similarity` as in `Foreground`.
    """
    cues = zip(CUES, _raw_cues(tokens[:, 1:], similarity, previous), strict=True)
    return {name: _scaled(cue) for name, cue in cues if cue is not None}


def _raw_cues(patches: Tensor, similarity: Tensor, previous: Tensor | None) -> tuple[Tensor | None, ...]:
    """In the order of `CUES`, (batch, patches) each."""
    from_mean = (patches - patches.mean(1, keepdim=True)).norm(dim=-1)
    change = None if previous is None else (patches - previous[:, 1:]).norm(dim=-1)
    return _local_saliency(patches), from_mean, 1 - similarity, change


def _scaled(cue: Tensor) -> Tensor:
    low, high = cue.amin(dim=1, keepdim=True), cue.amax(dim=1, keepdim=True)
    return (cue - low) / (high - low).clamp_min(1e-6)


def _local_saliency(patches: Tensor) -> Tensor:
    """Distance to the mean of three neighbours in raster order; zeros beyond both ends, divisor 3."""
    padded = pad(patches, (0, 0, 1, 1))
    distance: Tensor = (patches - (padded[:, :-2] + patches + padded[:, 2:]) / 3).norm(dim=-1)
    return distance
