"""Background suppression, BS: tokens are pushed away from one background prototype an image (§3.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity


def sequence_prototype(groups: Sequence[Tensor], fraction: float, mix: float) -> Tensor:
    """The prototype, (batch, width), from the first part of every group's token sequence.

    The published candidates are the first half of the sequence, class token included: the upper half
    of the image, whatever it shows. All groups give equally many rows, so the mean of means and the
    maximum of maxima are those of the whole bank.
    """
    rows = max(1, int(groups[0].shape[1] * fraction))
    means = torch.stack([group[:, :rows].mean(dim=1, dtype=torch.float32) for group in groups]).mean(dim=0)
    maxima = torch.stack([group[:, :rows].amax(dim=1) for group in groups]).amax(dim=0)
    return mix * means + (1 - mix) * maxima


def masked_prototype(groups: Sequence[Tensor], background: Sequence[Tensor], fraction: float, mix: float) -> Tensor:
    """The prototype from the first part of the patches that the masks call background.

    Args:
        groups: (batch, 1 + patches, width) each.
        background: for each group, (batch, patches), True on background.
        fraction: the share of those patches, in raster order, that is used.
        mix: weight of the mean against the maximum.
    """
    chosen = [_first_part(mask, fraction) for mask in background]
    count = torch.stack([mask.sum(dim=1) for mask in chosen]).sum(dim=0)  # (batch,)
    total = torch.stack(
        [
            (group[:, 1:] * mask.unsqueeze(-1)).sum(1, dtype=torch.float32)
            for group, mask in zip(groups, chosen, strict=True)
        ]
    )
    masked = [
        group[:, 1:].masked_fill(~mask.unsqueeze(-1), -torch.inf) for group, mask in zip(groups, chosen, strict=True)
    ]
    maxima = torch.stack([group.amax(dim=1) for group in masked]).amax(dim=0)
    found = mix * total.sum(dim=0) / count.clamp_min(1).unsqueeze(-1) + (1 - mix) * maxima
    return torch.where((count > 0).unsqueeze(-1), found, sequence_prototype(groups, fraction, mix))


def _first_part(mask: Tensor, fraction: float) -> Tensor:
    """Keep the first `fraction` of the True entries of each row, at least one."""
    order = mask.cumsum(dim=1)
    kept = (mask.sum(dim=1, keepdim=True) * fraction).floor().clamp_min(1)
    return mask & (order <= kept)


def suppress(tokens: Tensor, prototype: Tensor) -> Tensor:
    """`0.5·y + 0.5·(1 − cos(y, b))·(y − b)` for every token y of (batch, tokens, width) and prototype b."""
    b = prototype.unsqueeze(1)
    similarity = cosine_similarity(tokens, b, dim=-1).unsqueeze(-1)
    return (1 - 0.5 * similarity) * tokens - 0.5 * (1 - similarity) * b
