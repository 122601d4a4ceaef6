"""MVFBE's three views of a layer: identity, semantic and spatial (§3.4).

Each view is a weighted sum of the layer's own tokens. The weights are softmaxes that are simple enough to sum in
closed form (semantic) or reach two patches far (spatial), so neither an L × L matrix nor a 25-fold unfolded tensor is
ever made. They are found once and can then be laid on whatever is linear in the tokens: a view is a function that does.
The word-for-word versions stand in the tests.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize, pad

from zsadbench_methods.fbclip.foreground import Foreground

WINDOW = 5
REACH = WINDOW // 2
RESIDUAL = 0.4

View = Callable[[Tensor], Tensor]
"""(batch, 1 + patches, channels) → the same, linear in it; the class token is untouched."""


def make_view(name: str, tokens: Tensor, foreground: Foreground, *, by_key: bool = False) -> Tensor:
    """The view `id`, `sem` or `spa` of (batch, 1 + patches, width) tokens; the class token is untouched."""
    return find_view(name, tokens, foreground, by_key=by_key)(tokens)


def find_view(name: str, tokens: Tensor, foreground: Foreground, *, by_key: bool = False) -> View:
    """The weights of the view `id`, `sem` or `spa` that these tokens call for."""
    if name == "id":
        return lambda field: field
    return semantic(foreground, by_key=by_key) if name == "sem" else spatial(tokens, foreground)


def semantic(foreground: Foreground, *, by_key: bool = False) -> View:
    """SEM: every patch is mixed with image-wide means, 0.6·y + 0.4·x.

    The row softmax over `ρᵢ·pᵢ·pⱼ` (and over `γᵢ·p̄ᵢ·p̄ⱼ` for the background) takes two values per row,
    one for foreground and one for background keys, so it is a weighted mean of their two sums.
    With `by_key` the richness of the key, not of the query, weighs: then all rows of a kind agree.
    """
    weigh = _by_key if by_key else _by_query
    soft = foreground.soft
    outer, inner = (
        weigh(foreground, 1 - foreground.similarity, soft),
        weigh(foreground, foreground.similarity, 1 - soft),
    )
    shares = torch.cat([soft.unsqueeze(-1) * outer[0], (1 - soft).unsqueeze(-1) * inner[0]], dim=-1)
    means = torch.cat([outer[1], inner[1]], dim=1)  # (batch, 4, patches)

    def mixed(field: Tensor) -> Tensor:
        patches = field[:, 1:]
        made = torch.baddbmm(patches, shares.to(field), means.to(field) @ patches, beta=RESIDUAL, alpha=1 - RESIDUAL)
        return torch.cat([field[:, :1], made], dim=1)

    return mixed


def _by_query(foreground: Foreground, richness: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
    """`softmaxⱼ(rᵢ·sᵢ·sⱼ)`, s with one value on foreground and one on background, as two factors.

    Returns:
        (batch, patches, 2): the share of either kind's sum in a row; (batch, 2, patches): which patches are of a kind.
    """
    front = foreground.is_foreground.to(soft.dtype)
    kinds = torch.stack([front, 1 - front], dim=1)  # (batch, 2, patches): foreground, background
    of_kind = (soft.unsqueeze(1) * kinds).amax(dim=-1).unsqueeze(1)  # (batch, 1, 2): the value of s on keys of a kind
    logits = (richness * soft).unsqueeze(-1) * of_kind  # (batch, patches, 2)
    weights = (logits - logits.amax(dim=-1, keepdim=True)).exp()
    total = (weights * kinds.sum(dim=-1).unsqueeze(1)).sum(dim=-1, keepdim=True)
    return weights / total, kinds


def _by_key(foreground: Foreground, richness: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
    """`softmaxⱼ(rⱼ·sᵢ·sⱼ)` as two factors: one row for all foreground queries, one for all background ones."""
    front = foreground.is_foreground
    of_kind = torch.stack([(soft * front).amax(dim=1), (soft * ~front).amax(dim=1)], dim=1)  # (batch, 2)
    rows = (of_kind.unsqueeze(-1) * (richness * soft).unsqueeze(1)).softmax(dim=-1)  # (batch, 2, patches)
    return torch.stack([front, ~front], dim=-1).to(soft.dtype), rows


def spatial(tokens: Tensor, foreground: Foreground) -> View:
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
    rows = _banded(front + back)
    return lambda field: _weighted(rows.to(field), field)


def _banded(weights: Tensor) -> Tensor:
    """Weights of windows, (batch, grid, grid, 25), as one matrix a row of the grid: (batch, grid, grid, 5 · grid).

    It takes five rows of patches to one; what lies beside the grid has no column, being zero.
    """
    batch, grid = weights.shape[:2]
    wide = weights.new_zeros(batch, grid, grid, WINDOW, grid + 2 * REACH)
    row, column, across, down, _ = wide.stride()
    band = wide.as_strided((batch, grid, grid, WINDOW, WINDOW), (row, column, across + 1, down, 1))
    band.copy_(weights.view(batch, grid, grid, WINDOW, WINDOW))
    return wide[..., REACH:-REACH].flatten(3)


def _weighted(rows: Tensor, field: Tensor) -> Tensor:
    """The matrices of `_banded` on (batch, 1 + patches, channels): every row of patches from the five around it."""
    pieces = ((one[:1], _summed(weights, one[1:])) for weights, one in zip(rows, field, strict=True))
    return torch.cat([piece for pair in pieces for piece in pair]).view_as(field)


def _summed(rows: Tensor, patches: Tensor) -> Tensor:
    """One image: (grid, grid, 5 · grid) on (patches, channels)."""
    grid, channels = len(rows), patches.shape[-1]
    padded = pad(patches, (0, 0, REACH * grid, REACH * grid))  # rows of zeros above and below
    around = padded.as_strided((grid, WINDOW * grid, channels), (grid * channels, channels, 1))
    return (rows @ around).flatten(0, 1)


def _window_logits(field: Tensor, soft: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The background logits `u` and the foreground logits `v`, each (batch, grid, grid, 25)."""
    background = (1 - soft) * (field * direction).sum(dim=-1)
    unlike = 1 - (normalize(field, dim=-1) * direction).sum(dim=-1)
    return _windows(background), _windows(unlike) * _spread(field * soft.unsqueeze(-1))


def _spread(masked: Tensor) -> Tensor:
    """How far each token of a window is from their mean: (batch, grid + 4, grid + 4, width) → (batch, grid, grid, 25).

    `‖y − μ‖² = ‖y‖² − 2·y·μ + ‖μ‖²` is a product of matrices, and nothing of the size of the tokens is made 25 times.
    Tokens are long in the direction that all share, where this would cancel: there the difference is taken itself.
    """
    shared = normalize(masked.mean(dim=(1, 2), keepdim=True), dim=-1)
    along = (masked * shared).sum(dim=-1)  # (batch, grid + 4, grid + 4)
    rest = masked - along.unsqueeze(-1) * shared
    means = avg_pool2d(rest.permute(0, 3, 1, 2), WINDOW, stride=1).permute(0, 2, 3, 1)  # (batch, grid, grid, width)
    products = torch.stack([_with_windows(mean, field) for mean, field in zip(means, rest, strict=True)])
    squares, of_mean = rest.square().sum(dim=-1), means.square().sum(dim=-1, keepdim=True)
    apart = (_windows(squares) - 2 * products + of_mean).clamp_min(0)
    steps = _windows(along) - _windows(along).mean(dim=-1, keepdim=True)
    return (apart + steps.square()).sqrt()


def _with_windows(means: Tensor, field: Tensor) -> Tensor:
    """Products of (grid, grid, width) with the 25 tokens around each, (grid + 4, grid + 4, width): (grid, grid, 25)."""
    grid, (wide, width) = means.shape[0], field.shape[1:]
    field = field.contiguous()
    around = field.as_strided((grid, WINDOW * wide, width), (wide * width, width, 1), field.storage_offset())
    products = means.contiguous() @ around.transpose(1, 2)  # every row beside the five around it
    rows = products.view(grid, grid, WINDOW, wide)
    row, column, down, across = rows.stride()
    return rows.as_strided((grid, grid, WINDOW, WINDOW), (row, column + across, down, across)).flatten(2)


def _windows(values: Tensor) -> Tensor:
    """(batch, grid + 4, grid + 4) scalars → (batch, grid, grid, 25)."""
    return values.unfold(1, WINDOW, 1).unfold(2, WINDOW, 1).flatten(3)
