"""Means over the neighbourhood of every patch (MuSc, MRAD, PatchCore)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d


def window_mean(patches: Tensor, shape: tuple[int, int], side: int) -> Tensor:
    """Average the `side` × `side` patches around each patch: (batch, patches, width) of the same shape.

    What lies outside the grid counts as zero, and the sum is always divided by `side`².
    """
    if side == 1:
        return patches
    grid = patches.transpose(1, 2).reshape(len(patches), -1, *shape)  # (batch, width, rows, columns)
    return avg_pool2d(grid, side, stride=1, padding=side // 2).flatten(2).transpose(1, 2)
