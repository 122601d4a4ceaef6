"""AF-CLIP+'s memory: the patches of a few normal images, and the distance of a patch to the nearest of them."""

from __future__ import annotations

from torch import Tensor

from zsadbench_methods.parts import nearest
from zsadbench_methods.parts.precision import single_precision


def bank_of(tokens: Tensor) -> Tensor:
    """Collect the unit patch rows, (images, 1 + patches, width) → (images · patches, width), image after image."""
    return nearest.bank_of(tokens[:, 1:])


def distance(tokens: Tensor, bank: Tensor) -> Tensor:
    """Compute the distance `(1 − cos)/2` of every patch to the nearest row of the bank.

    (batch, 1 + patches, width) and (rows, width) → (batch, patches) in [0, 1].
    """
    with single_precision(tokens):
        cosine = nearest.nearest_cosine(bank_of(tokens), bank)  # (batch · patches,)
    return ((1 - cosine) / 2).view(len(tokens), -1)
