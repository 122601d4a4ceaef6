"""Windows of patches: which patches they cover, how they are encoded apart, and how a patch averages its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from zsadbench.clip.walk import ImageWalk

SMALLEST = 1e-20  # in place of a score of 0, whose reciprocal no product of matrices can hold
TOKENS = 1 << 13  # tokens of windows per pass: their MLPs take about 250 MiB in ViT-B-16-plus-240, for any batch


def patches_of_windows(grid: int, scale: int) -> Tensor:
    """List the patches of every window of `scale` × `scale` patches, int64 (windows, scale²), stride 1.

    Windows are in raster order of their upper left corners, patches in raster order within the window.
    """
    corners = torch.arange(grid - scale + 1)
    inside = torch.arange(scale)
    rows = corners[:, None] + inside  # (positions, scale)
    patches = rows[:, None, :, None] * grid + rows[None, :, None, :]  # (positions, positions, scale, scale)
    return patches.reshape(-1, scale**2)


def cover_of(patches: Tensor, grid: int) -> Tensor:
    """Return the matrix of 0 and 1 that says which windows cover a patch, float32 (windows, grid²)."""
    return torch.zeros(len(patches), grid**2, device=patches.device).scatter_(1, patches, 1.0)


def encode_windows(walk: ImageWalk, normed: Tensor, patches: Tensor) -> Tensor:
    """Encode every window by itself: its class token through the whole image encoder, (batch, windows, joint).

    A window consists of the class token and its own patches, with the positions that they have in the whole image.

    Args:
        walk: the image encoder.
        normed: (batch, 1 + grid², width), embedded images after the first norm, which sees every token by itself.
        patches: from `patches_of_windows`.
    """
    cls = torch.zeros_like(patches[:, :1])
    members = torch.cat([cls, 1 + patches], dim=1)  # (windows, 1 + scale²)
    sequences = normed[:, members].flatten(0, 1)  # (batch · windows, 1 + scale², width)
    several = max(1, TOKENS // members.shape[1])
    features = torch.cat([_class_features(walk, some) for some in torch.split(sequences, several)])
    return features.view(len(normed), len(patches), features.shape[-1])


def _class_features(walk: ImageWalk, sequences: Tensor) -> Tensor:
    """Encode sequences of tokens, (n, tokens, width) → (n, joint); the last block computes the class token alone."""
    tokens, last = walk.run(sequences, last=walk.depth - 1), walk.block(walk.depth)
    q, k, v = last.heads(tokens)
    cls = tokens[:, :1] + last.attend(q[:, :, :1], k, v)  # (n, 1, width)
    return walk.project(walk.final_norm((cls + last.mlp(cls)).squeeze(1)))


def harmonic_mean(scores: Tensor, cover: Tensor) -> Tensor:
    """Compute the harmonic mean of the windows over every patch: (batch, windows) → (batch, grid²).

    A window with the score 0 makes its patches 0.
    """
    return cover.sum(dim=0) / (scores.clamp_min(SMALLEST).reciprocal() @ cover)


def arithmetic_mean(scores: Tensor, cover: Tensor) -> Tensor:
    """Compute the arithmetic mean of the windows over every patch: (batch, windows) → (batch, grid²)."""
    return (scores @ cover) / cover.sum(dim=0)
