"""The nearest of the remembered features of a few normal images, by cosine (WinCLIP+, APRIL-GAN, AF-CLIP+)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.precision import single_precision

BLOCK = 1024  # rows per side that are compared at once: 4 MiB of cosines for any number of shots and any batch


def bank_of(features: Tensor) -> Tensor:
    """Collect features as unit rows, (images, n, width) → (images · n, width), image after image."""
    return normalize(features, dim=-1).flatten(0, 1)


def nearest_cosine(rows: Tensor, bank: Tensor, block: int = BLOCK) -> Tensor:
    """Find the largest cosine of each unit row with a row of the bank, (n, width) and (m, width) → (n,).

    At most `block` × `block` cosines are in memory at a time.
    """
    largest = []
    for queries in torch.split(rows, block):
        best = queries.new_full((len(queries),), -1.0)
        for known in torch.split(bank, block):
            best = torch.maximum(best, (queries @ known.T).amax(dim=1))
        largest.append(best)
    return torch.cat(largest)


def cosine_distance(features: Tensor, bank: Tensor) -> Tensor:
    """Compute `1 − cos` of every feature to the nearest row of the bank.

    (batch, n, width) and (rows, width) → (batch, n) in [0, 2], in single precision.
    """
    with single_precision(features):
        cosine = nearest_cosine(bank_of(features), bank)  # (batch · n,)
    return (1 - cosine).clamp_min(0).view(features.shape[:2])  # rounding may make a cosine larger than 1
