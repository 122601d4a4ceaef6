"""Re-scoring of images with constrained neighbourhoods (RsCIN): scores of images that look alike are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def rescored(highest: Tensor, features: Tensor, neighbours: Sequence[int]) -> Tensor:
    """Scale the largest pixel of every map to 0..1 over the class and average it over similar images: (images,).

    Args:
        highest: largest pixels, (images,); where all are equal they count as 0.
        features: image features, (images, width).
        neighbours: how many images, an image itself included, each average takes; the averages are averaged again.
    """
    span = highest.max() - highest.min()
    scaled = (highest - highest.min()) / torch.where(span > 0, span, torch.ones_like(span))
    products = features @ features.T  # (images, images)
    means = []
    for count in neighbours:
        weights, which = products.topk(count, dim=1)
        means.append((weights / weights.sum(dim=1, keepdim=True) * scaled[which]).sum(dim=1))
    return torch.stack(means).mean(dim=0)
