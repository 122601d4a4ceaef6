"""Sums and distances over the 5 × 5 window around every patch, as multiplications of matrices.

One row of patches is multiplied with the five rows around it, so nothing of the size of the tokens is built 25 times.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize, pad

WINDOW = 5  # side of a window, in patches
REACH = WINDOW // 2


def windows(values: Tensor) -> Tensor:
    """Collect scalars by window: (batch, grid + 4, grid + 4) → (batch, grid, grid, 25)."""
    return values.unfold(1, WINDOW, 1).unfold(2, WINDOW, 1).flatten(3)


def window_distances(field: Tensor) -> Tensor:
    """Compute the distance of each token of a window to the mean of the window.

    (batch, grid + 4, grid + 4, width) → (batch, grid, grid, 25). `‖y − μ‖² = ‖y‖² − 2·y·μ + ‖μ‖²` needs one
    multiplication of matrices. Tokens are long in a direction that all of them share, where this would cancel; along
    that direction the difference itself is taken.
    """
    shared = normalize(field.mean(dim=(1, 2), keepdim=True), dim=-1)  # (batch, 1, 1, width)
    along = (field * shared).sum(dim=-1)  # (batch, grid + 4, grid + 4)
    rest = field - along.unsqueeze(-1) * shared
    means = avg_pool2d(rest.permute(0, 3, 1, 2), WINDOW, stride=1).permute(0, 2, 3, 1)  # (batch, grid, grid, width)
    products = torch.stack([_window_products(mean, tokens) for mean, tokens in zip(means, rest, strict=True)])
    squares, mean_squares = rest.square().sum(dim=-1), means.square().sum(dim=-1, keepdim=True)
    across_squared = (windows(squares) - 2 * products + mean_squares).clamp_min(0)  # (batch, grid, grid, 25)
    steps = windows(along) - windows(along).mean(dim=-1, keepdim=True)
    return (across_squared + steps.square()).sqrt()


def _window_products(means: Tensor, field: Tensor) -> Tensor:
    """Multiply (grid, grid, width) with the 25 tokens around each, (grid + 4, grid + 4, width): (grid, grid, 25)."""
    grid, (wide, width) = means.shape[0], field.shape[1:]
    field = field.contiguous()
    around = field.as_strided((grid, WINDOW * wide, width), (wide * width, width, 1), field.storage_offset())
    products = means.contiguous() @ around.transpose(1, 2)  # (grid, grid, 5 · (grid + 4)): with all five rows
    rows = products.view(grid, grid, WINDOW, wide)
    row, column, down, across = rows.stride()
    return rows.as_strided((grid, grid, WINDOW, WINDOW), (row, column + across, down, across)).flatten(2)


def window_sums(weights: Tensor) -> Callable[[Tensor], Tensor]:
    """Turn weights of windows, (batch, grid, grid, 25), into the weighted sum over windows that they define.

    The sum maps (batch, 1 + patches, channels) to the same; the class token passes unchanged.
    """
    rows = _banded(weights)

    def mix(tokens: Tensor) -> Tensor:
        summed = [
            piece
            for band, image in zip(rows.to(tokens), tokens, strict=True)
            for piece in (image[:1], _row_sums(band, image[1:]))
        ]
        return torch.cat(summed).view_as(tokens)

    return mix


def _banded(weights: Tensor) -> Tensor:
    """Arrange weights of windows, (batch, grid, grid, 25), as one matrix per row of patches.

    (batch, grid, grid, 5 · grid): it maps the five rows of patches around a row to that row. Positions left and right
    of the grid are zero, so they have no column.
    """
    batch, grid = weights.shape[:2]
    wide = weights.new_zeros(batch, grid, grid, WINDOW, grid + 2 * REACH)
    row, column, across, down, _ = wide.stride()
    band = wide.as_strided((batch, grid, grid, WINDOW, WINDOW), (row, column, across + 1, down, 1))
    band.copy_(weights.view(batch, grid, grid, WINDOW, WINDOW))
    return wide[..., REACH:-REACH].flatten(3)


def _row_sums(band: Tensor, patches: Tensor) -> Tensor:
    """Multiply every row of one image: (grid, grid, 5 · grid) with (patches, channels) → (patches, channels)."""
    grid, channels = len(band), patches.shape[-1]
    padded = pad(patches, (0, 0, REACH * grid, REACH * grid))  # two rows of zeros above and below
    around = padded.as_strided((grid, WINDOW * grid, channels), (grid * channels, channels, 1))
    return (band @ around).flatten(0, 1)
