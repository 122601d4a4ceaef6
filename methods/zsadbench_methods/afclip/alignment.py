"""Patch alignment: a normal and an abnormal patch of one image should be less similar than two of the same kind.

The published code compares every patch with every other, a matrix of patches × patches per image and token set. Only
the means over kinds of pairs are used, and those follow from two sums of unit vectors per image,
`Σᵢ Σⱼ yᵢ·yⱼ = (Σᵢ yᵢ)·(Σⱼ yⱼ)`, which is linear in the number of patches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from zsadbench_methods.afclip.options import Options


class _Pairs(NamedTuple):
    """All pairs of patches of one kind in the batch: the sum of their cosines and their number."""

    total: Tensor
    number: Tensor

    def mean(self) -> Tensor:
        """The mean cosine, 0 where there is no pair."""
        return self.total / self.number.clamp_min(1)


def alignment(features: Tensor, target: Tensor, options: Options) -> Tensor:
    """Compute the alignment hinge of one token set.

    Args:
        features: (batch, patches, joint), not normalised.
        target: (batch, patches): 0 is normal, 1 abnormal, values between them are left out.
        options: whether pairs of two normal and of two abnormal patches are pooled, as published, or not.

    Returns:
        A scalar. Each patch is also paired with itself, as published. Without any mixed pair it is 0.
    """
    unit = normalize(features, dim=-1)
    normal, abnormal = (_sum_kind(unit, target == value) for value in (0, 1))
    mixed = _Pairs(2 * (normal.sums * abnormal.sums).sum(), 2 * (normal.counts * abnormal.counts).sum())
    equal = [_Pairs(kind.sums.square().sum(), kind.counts.square().sum()) for kind in (normal, abnormal)]
    if options.alignment == "pooled":
        equal = [_Pairs(equal[0].total + equal[1].total, equal[0].number + equal[1].number)]
    hinge = sum(((mixed.mean() - kind.mean()).relu() for kind in equal), start=features.new_zeros(()))
    return hinge * (mixed.number > 0)


class _Kind(NamedTuple):
    """The patches of one kind per image: the sum of their unit vectors and their number."""

    sums: Tensor  # (batch, joint)
    counts: Tensor  # (batch,)


def _sum_kind(unit: Tensor, chosen: Tensor) -> _Kind:
    """Sum the chosen unit vectors: (batch, patches, joint) and boolean (batch, patches)."""
    weights = chosen.to(unit.dtype)
    return _Kind((weights.unsqueeze(1) @ unit).squeeze(1), weights.sum(dim=1))
