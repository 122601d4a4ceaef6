"""Background suppression, BS: tokens are pushed away from one background prototype per image (§3.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity


def sequence_prototype(groups: Sequence[Tensor], fraction: float, mix: float) -> Tensor:
    """Compute the prototype, (batch, width), from the first part of every group's token sequence.

    The published candidates are the first half of the sequence, class token included: the upper half of the image, even
    where it shows the object. All groups have equally many candidates, so the mean of their means and the maximum of
    their maxima are those of all candidates.

    Args:
        groups: (batch, 1 + patches, width) per layer and view.
        fraction: the share of the sequence that is used, in (0, 1].
        mix: weight of the mean; the maximum has 1 − mix.
    """
    candidates = max(1, int(groups[0].shape[1] * fraction))
    means = torch.stack([group[:, :candidates].mean(dim=1, dtype=torch.float32) for group in groups]).mean(dim=0)
    maxima = torch.stack([group[:, :candidates].amax(dim=1) for group in groups]).amax(dim=0)
    return mix * means + (1 - mix) * maxima


def masked_prototype(groups: Sequence[Tensor], background: Sequence[Tensor], fraction: float, mix: float) -> Tensor:
    """Compute the prototype, (batch, width), from the first part of the patches that the masks call background.

    An image without any background patch gets the prototype of its sequence.

    Args:
        groups: (batch, 1 + patches, width) per layer and view.
        background: for each group, (batch, patches), True on background.
        fraction: the share of those patches, in raster order, that is used.
        mix: weight of the mean; the maximum has 1 − mix.
    """
    chosen = [_first_part(mask, fraction) for mask in background]
    count = torch.stack([mask.sum(dim=1) for mask in chosen]).sum(dim=0)  # (batch,)
    pairs = list(zip(groups, [mask.unsqueeze(-1) for mask in chosen], strict=True))
    total = torch.stack([(group[:, 1:] * mask).sum(1, dtype=torch.float32) for group, mask in pairs]).sum(dim=0)
    masked = [group[:, 1:].masked_fill(~mask, -torch.inf) for group, mask in pairs]  # (batch, patches, width) each
    maxima = torch.stack([patches.amax(dim=1) for patches in masked]).amax(dim=0)  # (batch, width)
    prototype = mix * total / count.clamp_min(1).unsqueeze(-1) + (1 - mix) * maxima
    return torch.where((count > 0).unsqueeze(-1), prototype, sequence_prototype(groups, fraction, mix))


def _first_part(mask: Tensor, fraction: float) -> Tensor:
    """Keep the first `fraction` of the True entries of each row, at least one: (batch, patches)."""
    order = mask.cumsum(dim=1)
    kept = (mask.sum(dim=1, keepdim=True) * fraction).floor().clamp_min(1)  # (batch, 1)
    return mask & (order <= kept)


def suppress(tokens: Tensor, prototype: Tensor) -> Tensor:
    """Compute `0.5·y + 0.5·(1 − cos(y, b))·(y − b)` for every token y, (batch, tokens, width), and prototype b."""
    b = prototype.unsqueeze(1)  # (batch, 1, width)
    similarity = cosine_similarity(tokens, b, dim=-1).unsqueeze(-1)  # (batch, tokens, 1)
    return (1 - 0.5 * similarity) * tokens - 0.5 * (1 - similarity) * b
