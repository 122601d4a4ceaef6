"""The fastest that this device multiplies and copies, measured and not read from a data sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zsadbench.engine.cost import wait_for
from zsadbench.engine.profile_timing import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDE: Mapping[str, int] = {"cpu": 1536, "cuda": 8192}
COPIED = 1 << 28  # bytes, far more than any cache holds
TRIES = 5


def peak_gmac_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Billions of multiply-accumulates a second of one large square product, the best of five."""
    side = SIDE[device.type]
    draw = torch.Generator().manual_seed(0)
    left, right = (torch.randn(side, side, generator=draw).to(device, dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(left, right)
        wait_for(device)

    multiply()  # the first product pays for starting threads and choosing kernels
    return side**3 / min(seconds_of(multiply) for _ in range(TRIES)) / 1e9


def peak_gb_per_second(device: torch.device) -> float:
    """Billions of bytes a second, read and written, of one large copy on this device, the best of five."""
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    into = torch.empty_like(source)

    def copy() -> None:
        into.copy_(source)
        wait_for(device)

    copy()  # the first one pays for the pages
    return 2 * COPIED / min(seconds_of(copy) for _ in range(TRIES)) / 1e9
