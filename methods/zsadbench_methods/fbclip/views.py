"""MVFBE's three views of a layer: identity, semantic and spatial (§3.4).

Both non-trivial views are attention with logits that are simple enough to sum in closed form, so
neither an L × L matrix (semantic) nor a 25-fold unfolded tensor (spatial) is ever made. The
word-for-word versions stand in the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize, pad

from zsadbench_methods.fbclip.foreground import Foreground

WINDOW = 5
RESIDUAL = 0.4


def make_view(name: str, tokens: Tensor, foreground: Foreground, *, by_key: bool = False) -> Tensor:
    """The view `id`, `sem` or `spa` of (batch, 1 + patches, width) tokens; the class token is untouched."""
    if name == "id":
        return tokens
    patches = semantic(tokens, foreground, by_key=by_key) if name == "sem" else spatial(tokens, foreground)
    return torch.cat([tokens[:, :1], patches], dim=1)


def semantic(tokens: Tensor, foreground: Foreground, *, by_key: bool = False) -> Tensor:
    """SEM: every patch is mixed with two image-wide means, 0.6·y + 0.4·x.

    The row softmax over `ρᵢ·pᵢ·pⱼ` (and over `γᵢ·p̄ᵢ·p̄ⱼ` for the background) takes two values per row,
    one for foreground and one for background keys, so it is a weighted mean of their two sums.
    With `by_key` the richness of the key, not of the query, weighs: then all rows of a kind agree.
    """
    patches, soft = tokens[:, 1:], foreground.soft
    attend = _mean_by_key if by_key else _mean_by_query
    outer = attend(patches, foreground, 1 - foreground.similarity, soft)
    inner = attend(patches, foreground, foreground.similarity, 1 - soft)
    mixed = soft.unsqueeze(-1) * outer + (1 - soft).unsqueeze(-1) * inner
    return (1 - RESIDUAL) * mixed + RESIDUAL * patches


def _mean_by_query(patches: Tensor, foreground: Foreground, richness: Tensor, soft: Tensor) -> Tensor:
    """`Σⱼ softmaxⱼ(rᵢ·sᵢ·sⱼ)·xⱼ` where s takes one value on foreground and one on background."""
    front = foreground.is_foreground.to(patches.dtype)
    sums = torch.stack([front, 1 - front], dim=1) @ patches  # (batch, 2, width): foreground, background
    counts = torch.stack([front.sum(1), (1 - front).sum(1)], dim=1)  # (batch, 2)
    of_front = (soft * front).amax(dim=1, keepdim=True)  # the value of s on foreground keys
    of_back = (soft * (1 - front)).amax(dim=1, keepdim=True)
    logits = torch.stack([richness * soft * of_front, richness * soft * of_back], dim=-1)  # (batch, patches, 2)
    weights = (logits - logits.amax(dim=-1, keepdim=True)).exp()
    total = (weights * counts.unsqueeze(1)).sum(dim=-1, keepdim=True)
    return (weights / total) @ sums


def _mean_by_key(patches: Tensor, foreground: Foreground, richness: Tensor, soft: Tensor) -> Tensor:
    """`Σⱼ softmaxⱼ(rⱼ·sᵢ·sⱼ)·xⱼ`: one row for all foreground queries, one for all background ones."""
    front = foreground.is_foreground
    scale = torch.stack([(soft * front).amax(dim=1), (soft * ~front).amax(dim=1)], dim=1)  # (batch, 2)
    rows = (scale.unsqueeze(-1) * (richness * soft).unsqueeze(1)).softmax(dim=-1) @ patches  # (batch, 2, width)
    return torch.where(front.unsqueeze(-1), rows[:, :1], rows[:, 1:])


def spatial(tokens: Tensor, foreground: Foreground) -> Tensor:
    """SPA: two softmax-weighted sums over a 5 × 5 window, each divided again by its soft count.

    Positions outside the image are zero vectors with soft mask 0: they count as background.
    """
    batch, patches, width = tokens[:, 1:].shape
    grid = round(patches**0.5)
    direction = normalize(tokens[:, 0], dim=-1).view(batch, 1, 1, width)
    field = pad(
        tokens[:, 1:].reshape(batch, grid, grid, width), (0, 0, 2, 2, 2, 2)
    )  # (batch, grid + 4, grid + 4, width)
    soft = pad(foreground.soft.reshape(batch, grid, grid), (2, 2, 2, 2))
    background, focus = _window_logits(field, soft, direction)
    front = focus.softmax(dim=-1) * _windows(soft) / _windows(soft).sum(-1, keepdim=True).clamp_min(1e-8)
    back = background.softmax(dim=-1) * _windows(1 - soft) / _windows(1 - soft).sum(-1, keepdim=True).clamp_min(1e-8)
    weights = front + back  # (batch, grid, grid, 25)
    total = torch.zeros(batch, grid, grid, width, dtype=tokens.dtype, device=tokens.device)
    for offset, shifted in enumerate(_shifts(field)):
        total.addcmul_(shifted, weights[..., offset, None])
    return total.view(batch, patches, width)


def _window_logits(field: Tensor, soft: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The background logits `u` and the foreground logits `v`, each (batch, grid, grid, 25)."""
    background = (1 - soft) * (field * direction).sum(dim=-1)
    unlike = 1 - (normalize(field, dim=-1) * direction).sum(dim=-1)
    masked = field * soft.unsqueeze(-1)
    mean = avg_pool2d(masked.permute(0, 3, 1, 2), WINDOW, stride=1).permute(0, 2, 3, 1)  # (batch, grid, grid, width)
    spread = torch.stack([(shifted - mean).norm(dim=-1) for shifted in _shifts(masked)], dim=-1)
    return _windows(background), _windows(unlike) * spread


def _shifts(field: Tensor) -> list[Tensor]:
    """The 25 views of a padded (batch, grid + 4, grid + 4, width) field, one an offset of the window."""
    grid = field.shape[1] - WINDOW + 1
    return [field[:, dy : dy + grid, dx : dx + grid] for dy in range(WINDOW) for dx in range(WINDOW)]


def _windows(values: Tensor) -> Tensor:
    """(batch, grid + 4, grid + 4) scalars → (batch, grid, grid, 25)."""
    return values.unfold(1, WINDOW, 1).unfold(2, WINDOW, 1).flatten(3)
