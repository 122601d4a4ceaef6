"""The coreset: rows of the memory chosen one after another, each the farthest from those before it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 2048  # rows of a block of distances


def farthest_first(rows: Tensor, value: Tensor, count: int) -> Tensor:
    """Choose the row of the largest value `count` times; a row's value falls to its distance to each chosen row.

    Args:
        rows: (n, width).
        value: start values (n,), an upper bound of the values that never goes away.
        count: how many.

    Returns:
        int64 (count,), in the order of the choice.
    """
    chosen = torch.empty(count, dtype=torch.int64, device=rows.device)
    value = value.clone()
    for step in range(count):
        chosen[step] = value.argmax()
        value = torch.minimum(value, (rows - rows[chosen[step]]).norm(dim=1))
    return chosen


def exact_starts(rows: Tensor) -> Tensor:
    """Compute the start values of the exact choice: the Euclidean norm of a row's distances to all rows, (n,)."""
    exact = rows.double()
    norms = [torch.cdist(some, exact).norm(dim=1) for some in torch.split(exact, BLOCK)]
    return torch.cat(norms).to(rows.dtype)


def approximate_starts(rows: Tensor, starts: Tensor) -> Tensor:
    """Compute the start values of the approximate choice: the mean of a row's distances to the start rows, (n,)."""
    return torch.stack([(rows - row).norm(dim=1) for row in rows[starts]]).mean(dim=0)


def projection(width: int, projected: int, seed: int) -> Tensor:
    """Draw a random linear projection, (projected, width), uniform in ±1/√width."""
    generator = torch.Generator().manual_seed(seed)
    drawn: Tensor = 2 * torch.rand(projected, width, generator=generator) - 1
    return drawn.div(math.sqrt(width))


def start_rows(rows: int, starts: int, seed: int) -> Tensor:
    """Draw different start rows, int64 (starts,)."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed))[:starts]
