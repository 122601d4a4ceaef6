"""PromptAD's head in the order of the published code: all distances to the remembered patches at once."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate, normalize

from zsadbench.types import Scores, Tokens


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, grid, grid), for the default options and a memory that is not empty.

    `text` is (batch, 2, 2, joint): the prototypes of the image score, then those of the map.
    """
    walk, options = detector.backbone.vision.walk, detector.options

    def abnormal(states: Tensor, prototypes: Tensor) -> Tensor:
        features = normalize(walk.project(walk.final_norm(states)), dim=-1)
        return (detector.scale * features @ prototypes.transpose(1, 2)).softmax(dim=-1)[..., 1]

    distances = []
    for part, bank in zip(("memory_1", "memory_2"), detector.banks().values(), strict=True):
        patches = normalize(tokens.parts[part][:, 1:], dim=-1)
        distances.append((0.5 * (1 - patches @ bank.T)).amin(dim=-1).clamp_min(0))
    visual = ((distances[0] + distances[1]) / 2).view(-1, 1, tokens.grid, tokens.grid)
    side = options.resolution or detector.backbone.image_size
    largest = interpolate(visual, (side, side), mode="bilinear", align_corners=False).amax(dim=(1, 2, 3))
    whole = abnormal(tokens.parts["plain"][:, :1], text[:, 0])[:, 0]
    textual = abnormal(tokens.parts["values"], text[:, 1]).view(-1, tokens.grid, tokens.grid)
    return Scores(1 / (1 / whole + 1 / largest), 1 / (1 / textual + 1 / visual[:, 0]))
