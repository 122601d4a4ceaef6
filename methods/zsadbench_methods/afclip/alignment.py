"""Patch alignment: a normal and an abnormal patch of one image shall be less alike than two of a kind.

The published code compares every patch with every other, a matrix of patches × patches for each image and
token set. Only the means over kinds of pairs are used, and those follow from two sums of unit vectors an
image: `Σᵢ Σⱼ yᵢ·yⱼ = (Σᵢ yᵢ)·(Σⱼ yⱼ)`. That is linear in the number of patches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from zsadbench_methods.afclip.options import Options


class _Pairs(NamedTuple):
    """Pairs of patches of one kind in the whole batch: the sum of their cosines, and how many there are."""

    total: Tensor
    number: Tensor

    def mean(self) -> Tensor:
        """The mean cosine, 0 where there is no pair."""
        return self.total / self.number.clamp_min(1)


def alignment(features: Tensor, target: Tensor, options: Options) -> Tensor:
    """The hinge on one token set.

    Args:
        features: (batch, patches, joint), not normalised.
        target: (batch, patches): 0 is normal, 1 abnormal, anything between is left out.
        options: whether pairs of two normal and of two abnormal patches are pooled, as published, or not.

    Returns:
        A scalar. Each patch is also paired with itself, as published. Without any mixed pair it is 0.
    """
    unit = normalize(features, dim=-1)
    normal, abnormal = (_summed(unit, target == value) for value in (0, 1))
    mixed = _Pairs(2 * (normal.sums * abnormal.sums).sum(), 2 * (normal.counts * abnormal.counts).sum())
    alike = [_Pairs(kind.sums.square().sum(), kind.counts.square().sum()) for kind in (normal, abnormal)]
    if options.alignment == "pooled":
        alike = [_Pairs(alike[0].total + alike[1].total, alike[0].number + alike[1].number)]
    hinge = sum(((mixed.mean() - kind.mean()).relu() for kind in alike), start=features.new_zeros(()))
    return hinge * (mixed.number > 0)


class _Summed(NamedTuple):
    sums: Tensor  # (batch, joint)
    counts: Tensor  # (batch,)


def _summed(unit: Tensor, chosen: Tensor) -> _Summed:
    weights = chosen.to(unit.dtype)
    return _Summed((weights.unsqueeze(1) @ unit).squeeze(1), weights.sum(dim=1))
