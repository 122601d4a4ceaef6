"""MuSc's mutual scoring in the plain order: every image against every other, one product per direction."""

from __future__ import annotations

import torch
from torch import Tensor


def mutual_scores(unit: Tensor, nearest: int) -> Tensor:
    """Scores (images, patches) of unit patches (images, patches, width); the mean of the nearest images."""
    scores = []
    for i, image in enumerate(unit):
        others = [torch.cdist(image, other).amin(dim=1) for j, other in enumerate(unit) if j != i]
        scores.append(torch.stack(others).topk(nearest, dim=0, largest=False).values.mean(dim=0))
    return torch.stack(scores)
