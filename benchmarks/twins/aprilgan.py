"""APRIL-GAN's zero-shot head in the order of the published code: both logits enlarged, softmax, sum of layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zsadbench.types import Scores, Tokens


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, size, size), for the default options; `text` is (batch, 2, joint)."""
    vision, grid, size = detector.backbone.vision, tokens.grid, detector.backbone.image_size
    image = vision.norm(tokens.layers[-1][:, 0]) @ vision.projection
    image = image / image.norm(dim=-1, keepdim=True)
    abnormal = (100 * image.unsqueeze(1) @ text.transpose(1, 2)).softmax(dim=-1)[:, 0, 1]
    maps = []
    for linear, layer in zip(detector.network.linear, tokens.layers, strict=True):
        patches = linear(layer)[:, 1:]  # the class token is left out afterwards
        patches = patches / patches.norm(dim=-1, keepdim=True)
        logits = (100 * patches @ text.transpose(1, 2)).permute(0, 2, 1).reshape(-1, 2, grid, grid)
        enlarged = interpolate(logits, size, mode="bilinear", align_corners=True)
        maps.append(torch.softmax(enlarged, dim=1)[:, 1])
    return Scores(abnormal, torch.stack(maps).sum(dim=0))
