"""Distances of patches to the nearest of many remembered patches, in blocks (AnomalyDINO, PatchCore)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.parts.precision import single_precision

Metric = Literal["cosine", "euclidean", "squared"]

QUERIES, KNOWN = 1024, 8192  # rows of a block on either side: 32 MiB of distances at a time


def nearest_squares(rows: Tensor, bank: Tensor, count: int) -> Tensor:
    """Find the squared Euclidean distances of every row to its `count` nearest rows of the bank, rising.

    (n, width) and (m, width) → (n, min(count, m)), in single precision. Neighbours are found by products of matrices,
    their distances are then computed from differences, so that near ones are exact.
    """
    count = min(count, len(bank))
    lengths = bank.square().sum(dim=1)
    found = []
    with single_precision(rows):
        for queries in torch.split(rows, QUERIES):
            best = queries.new_full((len(queries), count), torch.inf)
            where = torch.zeros_like(best, dtype=torch.int64)
            for start in range(0, len(bank), KNOWN):
                known = slice(start, start + KNOWN)
                distances = lengths[known] - 2 * (queries @ bank[known].T)  # but for |query|², the same in a row
                near, at = distances.topk(min(count, distances.shape[1]), largest=False)
                best, order = torch.cat([best, near], dim=1).topk(count, largest=False)
                where = torch.cat([where, at + start], dim=1).gather(1, order)
            found.append(torch.stack([(queries - bank[column]).square().sum(dim=1) for column in where.T], dim=1))
    return torch.cat(found).sort(dim=1).values if found else rows.new_zeros(0, count)


def nearest_distances(rows: Tensor, bank: Tensor, count: int, metric: Metric) -> Tensor:
    """Find the distances of every row to its `count` nearest rows of the bank, rising: (n, width) → (n, count).

    `cosine` is 1 − cos, half of the square between unit vectors; `squared` is the Euclidean distance's square.
    """
    if metric == "cosine":
        return nearest_squares(normalize(rows, dim=-1), normalize(bank, dim=-1), count) / 2
    squares = nearest_squares(rows, bank, count)
    return squares if metric == "squared" else squares.sqrt()


def top_mean(values: Tensor, share: float) -> Tensor:
    """Average the highest share of every row, rounded down, at least the maximum: (rows, n) → (rows,)."""
    return values.topk(max(1, int(share * values.shape[1])), dim=1).values.mean(dim=1)
