"""WinCLIP's zero-shot head in the order of the public code: one patch at a time looks for the windows over it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench.types import Scores, Tokens


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, grid, grid), for the default options; `text` is (batch, 2, joint)."""

    def abnormal(features: Tensor) -> Tensor:
        cosines = normalize(features, dim=-1) @ normalize(text, dim=-1).transpose(1, 2)
        return (cosines / 0.07).softmax(dim=-1)[..., 1]

    grid, whole = tokens.grid, abnormal(tokens.parts["image_features"].unsqueeze(1))  # (batch, 1)
    scales = [whole.expand(-1, grid**2)]
    for scale in (2, 3):
        windows, side = abnormal(tokens.parts[f"window_features_s{scale}"]), grid - scale + 1
        members = [
            [(top + down) * grid + left + right for down in range(scale) for right in range(scale)]
            for top in range(side)
            for left in range(side)
        ]
        patches = []
        for patch in range(grid**2):
            over = [number for number, inside in enumerate(members) if patch in inside]
            patches.append(len(over) / (1 / windows[:, over]).sum(dim=1))
        scales.append(torch.stack(patches, dim=1))
    pixel = len(scales) / (1 / torch.stack(scales)).sum(dim=0)
    return Scores(whole[:, 0], pixel.view(-1, grid, grid))
