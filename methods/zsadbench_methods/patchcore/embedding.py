"""The embedding of a patch: its neighbourhood in every layer, pooled to a fixed number of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, interpolate, normalize, unfold

from zsadbench_methods.parts.window_mean import window_mean

if TYPE_CHECKING:
    from zsadbench_methods.patchcore.options import Options


def embed(maps: Sequence[Tensor], options: Options) -> Tensor:
    """Embed every position of the first layer's grid.

    Args:
        maps: one per layer, (batch, width, rows, columns); those after the first are resized to its grid.
        options: sides and widths.

    Returns:
        (batch, positions, width).
    """
    shape, tokens = tuple(maps[0].shape[2:]), maps[0].shape[1]
    per_layer = options.layer_width or tokens
    pooled = [_on_grid(_pooled(layer, options.side, per_layer), shape) for layer in maps]
    together = torch.cat(pooled, dim=-1)
    wanted = options.width or tokens
    embedded = together if together.shape[-1] == wanted else adaptive_avg_pool1d(together, wanted)
    return normalize(embedded, dim=-1) if options.unit else embedded


def _pooled(layer: Tensor, side: int, width: int) -> Tensor:
    """Pool the neighbourhood of every position, channel by channel: (batch, positions, width, rows, columns in it)."""
    shape = layer.shape[2:]
    if width == layer.shape[1]:  # the mean of each channel
        patches = layer.flatten(2).transpose(1, 2)
        means = window_mean(patches, (shape[0], shape[1]), side)
        return means.transpose(1, 2).reshape(layer.shape)
    values = unfold(layer, side, padding=side // 2).transpose(1, 2)  # (batch, positions, width · side²)
    return adaptive_avg_pool1d(values, width).transpose(1, 2).reshape(len(layer), width, *shape)


def _on_grid(layer: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Resize a layer bilinearly to a grid: (batch, width, rows, columns) → (batch, positions, width).

    Neighbourhoods are resized after pooling: both are linear, and along different axes.
    """
    if tuple(layer.shape[2:]) != shape:
        layer = interpolate(layer, shape, mode="bilinear", align_corners=False)
    return layer.flatten(2).transpose(1, 2)
