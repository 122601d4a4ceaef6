"""AF-CLIP+'s memory: the patches of a few normal images, and how far a patch is from the nearest of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.precision import in_single

BLOCK = 1024  # rows of either side at a time: 4 MiB of cosines, whatever the shots and the batch


def bank_of(tokens: Tensor) -> Tensor:
    """The unit patch rows of (images, 1 + patches, width), image after image: (images · patches, width)."""
    return normalize(tokens[:, 1:], dim=-1).flatten(0, 1)


def nearest_cosine(rows: Tensor, bank: Tensor, block: int = BLOCK) -> Tensor:
    """The largest cosine of each unit row with a row of the bank, (n, width) and (m, width) → (n,), block by block."""
    found = []
    for some in torch.split(rows, block):
        best = some.new_full((len(some),), -1.0)
        for part in torch.split(bank, block):
            best = torch.maximum(best, (some @ part.T).amax(dim=1))
        found.append(best)
    return torch.cat(found)


def distance(tokens: Tensor, bank: Tensor) -> Tensor:
    """`(1 − cos)/2` of every patch of (batch, 1 + patches, width) to the nearest in the bank: (batch, patches)."""
    with in_single(tokens):
        cosine = nearest_cosine(bank_of(tokens), bank)
    return ((1 - cosine) / 2).view(len(tokens), -1)
