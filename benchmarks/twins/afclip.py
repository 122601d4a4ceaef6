"""AF-CLIP's zero-shot head in the order of the published code: unfolded windows, one token set after the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, unfold

from twins.attention import attend
from zsadbench.types import Scores, Tokens


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, grid, grid), for the default options."""
    vision, logits = detector.backbone.vision, 0
    for z in tokens.layers:
        for window in (1, 3, 5):
            adapted = adapter(detector.network.adapter, aggregate(z, tokens.grid, window))
            joint = normalize(vision.norm(adapted) @ vision.projection, dim=-1)
            logits = logits + joint @ text.T / detector.options.temperature
    abnormal = logits.softmax(dim=-1)[..., 1]
    return Scores(abnormal[:, 0], abnormal[:, 1:].reshape(-1, tokens.grid, tokens.grid))


def aggregate(z: Tensor, grid: int, window: int, sigma: float = 4.0) -> Tensor:
    """Return the Gaussian mean of the unfolded window of every patch."""
    if window == 1:
        return z
    line = torch.arange(window, device=z.device) - window // 2
    kernel = torch.exp(-(line[:, None] ** 2 + line[None, :] ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).flatten().to(z)
    maps = z[:, 1:].transpose(1, 2).reshape(len(z), -1, grid, grid)
    windows = unfold(maps, window, padding=window // 2).view(len(z), -1, window**2, grid**2)
    return torch.cat([z[:, :1], (windows * kernel[:, None]).sum(dim=2).transpose(1, 2)], dim=1)


def adapter(module: Any, z: Tensor) -> Tensor:
    """Apply the adapter to one token set."""
    h = module.norm(z)
    out: Tensor = module.to_out(attend(module.to_q(h), module.to_k(h), module.to_v(h), 64**-0.5))
    return out
