"""MVFBE's three views of a tapped layer: identity (ID), semantic (SEM) and spatial (SPA) (§3.4).

Every view is a weighted sum of the layer's own tokens. Its weights depend on the tokens and on the foreground mask;
once they are known, the same sum can be taken of anything that is linear in the tokens, such as queries, keys and
values (see `fused`). A view is therefore stored as this sum, `View.mix`.

The weights are softmaxes that are simple enough to sum in closed form (SEM) or reach only two patches far (SPA), so
neither an L × L matrix nor a tensor unfolded 25 times is built. The word-for-word versions are in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from zsadbench_methods.fbclip.foreground import Foreground
from zsadbench_methods.fbclip.windows import REACH, window_distances, window_sums, windows
from zsadbench_methods.parts.precision import single_precision

RESIDUAL = 0.4  # share of the patch itself in SEM

Mix = Callable[[Tensor], Tensor]
"""A weighted sum, (batch, 1 + patches, channels) → the same; the class token passes unchanged."""


class View(NamedTuple):
    """One view of one tapped layer, not yet computed.

    `layer` counts the tapped layers from 0, `name` is `id`, `sem` or `spa`, `source` are the layer's raw tokens,
    (batch, 1 + patches, width), of which `mix` takes the view's weighted sum.
    """

    layer: int
    name: str
    source: Tensor
    mix: Mix

    @property
    def tokens(self) -> Tensor:
        """The tokens of the view, (batch, 1 + patches, width), without gradient."""
        with torch.no_grad(), single_precision(self.source):
            return self.mix(self.source)


class Group(NamedTuple):
    """The tokens of one view of one tapped layer at some step of the figure: (batch, 1 + patches, channels).

    `layer` and `view` are `layer` and `name` of the `View`.
    """

    layer: int
    view: str
    tokens: Tensor


def find_mix(name: str, tokens: Tensor, foreground: Foreground, *, by_key: bool = False) -> Mix:
    """Find the weights of a view for one tapped layer.

    Args:
        name: `id`, `sem` or `spa`.
        tokens: (batch, 1 + patches, width), the raw tokens of the layer.
        foreground: the foreground mask of the layer.
        by_key: see `semantic`.
    """
    if name == "id":
        return lambda tokens: tokens
    return semantic(foreground, by_key=by_key) if name == "sem" else spatial(tokens, foreground)


def semantic(foreground: Foreground, *, by_key: bool = False) -> Mix:
    """SEM: mix every patch x with image-wide means, `0.6·(p·Σⱼ αⱼxⱼ + (1 − p)·Σⱼ βⱼxⱼ) + 0.4·x`.

    The row softmax α over `ρᵢ·pᵢ·pⱼ` takes two values per row, one for foreground keys and one for background keys, so
    the sum is a weighted mean of the sums of the two kinds. The same holds for β over `γᵢ·p̄ᵢ·p̄ⱼ`. Here p is the soft
    mask, p̄ = 1 − p, γ the cosine with the class token and ρ = 1 − γ.

    With `by_key` the softmax is over `ρⱼ·pᵢ·pⱼ`: the richness of the key counts, not that of the query, and all rows of
    one kind are equal.
    """
    softmax_factors = _factors_by_key if by_key else _factors_by_query
    soft, similarity = foreground.soft, foreground.similarity  # p and γ, (batch, patches) each
    alpha_shares, alpha_kinds = softmax_factors(foreground, 1 - similarity, soft)
    beta_shares, beta_kinds = softmax_factors(foreground, similarity, 1 - soft)
    shares = torch.cat(
        [soft.unsqueeze(-1) * alpha_shares, (1 - soft).unsqueeze(-1) * beta_shares], dim=-1
    )  # (batch, patches, 4)
    kinds = torch.cat([alpha_kinds, beta_kinds], dim=1)  # (batch, 4, patches)

    def mix(tokens: Tensor) -> Tensor:
        patches = tokens[:, 1:]  # (batch, patches, channels)
        sums = kinds.to(tokens) @ patches  # (batch, 4, channels)
        mixed = torch.baddbmm(patches, shares.to(tokens), sums, beta=RESIDUAL, alpha=1 - RESIDUAL)
        return torch.cat([tokens[:, :1], mixed], dim=1)  # (batch, 1 + patches, channels)

    return mix


def _factors_by_query(foreground: Foreground, richness: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
    """Factorise `softmaxⱼ(rᵢ·sᵢ·sⱼ)`, where s takes one value on foreground and one on background.

    Returns:
        The weight of each key of either kind in a row, (batch, patches, 2), and which patches are of each kind,
        (batch, 2, patches): their product is the softmax.
    """
    front = foreground.is_foreground.to(soft.dtype)
    kinds = torch.stack([front, 1 - front], dim=1)  # (batch, 2, patches): foreground, background
    of_kind = (soft.unsqueeze(1) * kinds).amax(dim=-1).unsqueeze(1)  # (batch, 1, 2): the value of s on each kind
    logits = (richness * soft).unsqueeze(-1) * of_kind  # (batch, patches, 2)
    weights = (logits - logits.amax(dim=-1, keepdim=True)).exp()
    total = (weights * kinds.sum(dim=-1).unsqueeze(1)).sum(dim=-1, keepdim=True)  # (batch, patches, 1)
    return weights / total, kinds


def _factors_by_key(foreground: Foreground, richness: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
    """Factorise `softmaxⱼ(rⱼ·sᵢ·sⱼ)`: one row serves all foreground queries, one all background queries.

    Returns:
        Which queries are of each kind, (batch, patches, 2), and the row of each kind, (batch, 2, patches).
    """
    front = foreground.is_foreground
    of_kind = torch.stack([(soft * front).amax(dim=1), (soft * ~front).amax(dim=1)], dim=1)  # (batch, 2)
    rows = (of_kind.unsqueeze(-1) * (richness * soft).unsqueeze(1)).softmax(dim=-1)  # (batch, 2, patches)
    return torch.stack([front, ~front], dim=-1).to(soft.dtype), rows


def spatial(tokens: Tensor, foreground: Foreground) -> Mix:
    """SPA: add a foreground and a background sum over the 5 × 5 window around every patch.

    Each sum is weighted by a softmax and divided again by its soft count, as published. With y = p·x the masked token,
    μ the mean of a window of them and c the class token, the logits are `(1 − cos(x, c))·‖y − μ‖` for the foreground
    and `p̄·x·c/‖c‖` for the background. Positions outside the image are zero vectors with soft mask 0, so they count as
    background.
    """
    batch, patches, width = tokens[:, 1:].shape
    grid, border = round(patches**0.5), (REACH, REACH, REACH, REACH)
    direction = normalize(tokens[:, 0], dim=-1).view(batch, 1, 1, width)
    field = pad(tokens[:, 1:].reshape(batch, grid, grid, width), (0, 0, *border))  # (batch, grid + 4, grid + 4, width)
    soft = pad(foreground.soft.reshape(batch, grid, grid), border)  # (batch, grid + 4, grid + 4)

    background = windows((1 - soft) * (field * direction).sum(dim=-1))  # (batch, grid, grid, 25) from here on
    unlike_class_token = windows(1 - (normalize(field, dim=-1) * direction).sum(dim=-1))
    focus = unlike_class_token * window_distances(field * soft.unsqueeze(-1))
    front, back = windows(soft), windows(1 - soft)
    front_weights = focus.softmax(dim=-1) * front / front.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    back_weights = background.softmax(dim=-1) * back / back.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    return window_sums(front_weights + back_weights)
