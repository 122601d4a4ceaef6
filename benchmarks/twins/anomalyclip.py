"""AnomalyCLIP's head in the order of the published code: every patch with both sentences, both probabilities kept."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from zsadbench.types import Scores, Tokens


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, grid, grid), for the default options."""
    vision, temperature = detector.backbone.vision, detector.options.temperature
    image = tokens.layers[-1][:, 0] @ vision.projection
    image = image / image.norm(dim=-1, keepdim=True)
    abnormal = (image @ text.T / temperature).softmax(dim=-1)[:, 1]
    total = 0
    for layer in tokens.value_layers:
        patches = vision.norm(layer) @ vision.projection
        patches = patches / patches.norm(dim=-1, keepdim=True)
        both = (patches[:, 1:] @ text.T / temperature).softmax(dim=-1)
        total = total + (both[..., 1] + 1 - both[..., 0]) / 2
    return Scores(abnormal, total.reshape(-1, tokens.grid, tokens.grid))
