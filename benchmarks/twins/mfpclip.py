"""MFP-CLIP's head in the order of the paper, which has no published code: softmax, each layer enlarged, their mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, unfold

from zsadbench.types import Scores, Tokens


def aggregate(patches: Tensor, grid: int) -> Tensor:
    """Average every patch with those of its 3 × 3 neighbours that are in the image: (batch, grid², joint)."""
    grids = patches.transpose(1, 2).reshape(len(patches), -1, grid, grid)
    summed = unfold(grids, 3, padding=1).view(len(patches), -1, 9, grid**2).sum(dim=2)
    inside = unfold(torch.ones_like(grids[:, :1]), 3, padding=1).sum(dim=1, keepdim=True)
    return (summed / inside).transpose(1, 2)


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, size, size), for the default options; the text is among the tokens."""
    size, grid, text = detector.backbone.image_size, tokens.grid, tokens.parts["text_features"]
    maps = []
    for adapter, layer in zip(detector.last_pass.adapters, tokens.layers, strict=True):
        patches = aggregate(adapter(layer[:, 1:]), grid)
        patches = patches / patches.norm(dim=-1, keepdim=True)
        probability = (100 * patches @ text.transpose(1, 2)).softmax(dim=-1)[..., 1]
        maps.append(interpolate(probability.view(-1, 1, grid, grid), size, mode="bilinear", align_corners=True)[:, 0])
    pixel = torch.stack(maps).mean(dim=0)
    return Scores(pixel.flatten(1).max(dim=1).values, pixel)
