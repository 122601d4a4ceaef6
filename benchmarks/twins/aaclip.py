"""AA-CLIP's head in the order of the published code: both cosines per layer, blurred, enlarged, added up."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, normalize, pad

from zsadbench.types import Scores, Tokens

SIDE, SIGMA = 7, 1.0  # of the Gaussian, in patches


def blur(grids: Tensor) -> Tensor:
    """Smooth maps, (batch, 1, grid, grid), along the rows, then along the columns, each with mirrored borders."""
    reach = min(SIDE // 2, grids.shape[-1] - 1)  # a small grid cuts the kernel
    places = torch.arange(-reach, reach + 1, device=grids.device, dtype=grids.dtype)
    kernel = (-(places**2) / (2 * SIGMA**2)).exp()
    kernel = kernel / kernel.sum()
    rows = conv2d(pad(grids, (reach, reach, 0, 0), mode="reflect"), kernel.view(1, 1, 1, -1))
    return conv2d(pad(rows, (0, 0, reach, reach), mode="reflect"), kernel.view(1, 1, -1, 1))


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, size, size), for the default options; `text` is (batch, 2, joint).

    The image score is the one on fixed scales, which is ours; the published one needs all images of a class.
    """
    network, norm, grid = detector.network.image, detector.backbone.vision.walk.final_norm, tokens.grid
    maps = []
    for head, layer in zip(network.patches, tokens.layers, strict=True):
        patches = normalize(head(norm(layer[:, 1:])), dim=-1)
        both = (100 * patches @ text.transpose(1, 2)).permute(0, 2, 1).reshape(-1, 2, grid, grid)
        abnormal = (both[:, 1:] + 1 - both[:, :1]) / 2
        enlarged = interpolate(blur(abnormal), detector.backbone.image_size, mode="bilinear", align_corners=True)
        maps.append(enlarged[:, 0])
    pixel = torch.stack(maps).sum(dim=0)
    whole = normalize(network.image(norm(tokens.layers[-1][:, 1:])), dim=-1).mean(dim=1)
    raw = ((whole.unsqueeze(1) @ text.transpose(1, 2))[:, 0, 1] + 1) / 2
    largest = ((2 * pixel.flatten(1).max(dim=1).values / len(maps) - 1) / 100 + 2) / 4
    return Scores(0.5 * largest + 0.5 * raw, pixel)
