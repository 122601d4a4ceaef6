"""The fastest that this device multiplies and copies, measured and not read from a data sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zsadbench.engine.cost import wait_for
from zsadbench.engine.profile_timing import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIDE: Mapping[str, int] = {"cpu": 1536, "cuda": 8192}
COPIED = 1 << 28  # bytes, far more than any cache holds
TRIES = 5  # after the first
ENOUGH = 2.0  # seconds


def peak_gmac_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Billions of multiply-accumulates a second of one large square product, the best of a few."""
    side = SIDE[device.type]
    draw = torch.Generator().manual_seed(0)
    left, right = (torch.randn(side, side, generator=draw).to(device, dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(left, right)
        wait_for(device)

    return side**3 / _fastest(multiply) / 1e9


def peak_gb_per_second(device: torch.device) -> float:
    """Billions of bytes a second, read and written, of one large copy on this device, the best of a few."""
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    into = torch.empty_like(source)

    def copy() -> None:
        into.copy_(source)
        wait_for(device)

    return 2 * COPIED / _fastest(copy) / 1e9


def _fastest(call: Callable[[], None]) -> float:
    """Seconds of the fastest of six calls, or of those that go into two seconds: some processors emulate bf16.

    The first pays for threads, kernels and pages; where it is slow all the same, that is little of it.
    """
    taken: list[float] = []
    while len(taken) <= TRIES and sum(taken) < ENOUGH:
        taken.append(seconds_of(call))
    return min(taken)
