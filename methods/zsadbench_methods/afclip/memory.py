"""AF-CLIP+'s memory: the patches of a few normal images, and the distance of a patch to the nearest of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.precision import single_precision

BLOCK = 1024  # rows per side that are compared at once: 4 MiB of cosines for any number of shots and any batch


def bank_of(tokens: Tensor) -> Tensor:
    """Collect the unit patch rows, (images, 1 + patches, width) → (images · patches, width), image after image."""
    return normalize(tokens[:, 1:], dim=-1).flatten(0, 1)


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


def distance(tokens: Tensor, bank: Tensor) -> Tensor:
    """Compute the distance `(1 − cos)/2` of every patch to the nearest row of the bank.

    (batch, 1 + patches, width) and (rows, width) → (batch, patches) in [0, 1].
    """
    with single_precision(tokens):
        cosine = nearest_cosine(bank_of(tokens), bank)  # (batch · patches,)
    return ((1 - cosine) / 2).view(len(tokens), -1)
