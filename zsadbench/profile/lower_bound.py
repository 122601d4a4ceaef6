"""What no implementation of a method can beat on a device: its multiplications, and the bytes that must move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zsadbench.clip.macs import tower_macs
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.machine.timing import seconds_of, wait_for
from zsadbench.engine.plan.method_setup import taps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method

GIGA = 1e9
SINGLE = 4  # bytes of a number: images and tokens are kept in single precision
SIDE: Mapping[str, int] = {"cpu": 1536, "cuda": 8192}
COPIED = 1 << 28  # bytes, far more than any cache holds
TRIES = 5  # after the first
ENOUGH = 2.0  # seconds


def floor_of(
    setup: MethodSetup, backbone: Backbone, method: Method, batch_size: int, gmac: float | None
) -> dict[str, float | None]:
    """How long a batch takes at the least, either way.

    Args:
        setup: precision, size and taps.
        backbone: its image tower is read once a batch.
        method: and so is its trained part.
        batch_size: images; what is read and written of each: its pixels, and the tokens of every tap out and in again.
        gmac: multiply-accumulates of an image, giga, as run; at the rate of one large product on this device.
    """
    rate = peak_gmac_per_second(backbone.device, DTYPES[setup.precision])
    moved = peak_gb_per_second(backbone.device)
    vision, taps = setup.spec.config.vision, taps_of(setup)
    tokens = (1 + backbone.grid**2) * vision.width
    image = 3 * setup.image_size**2 + 2 * tokens * len(taps.blocks + taps.value_blocks)
    networks = [backbone.vision, *([method.network] if hasattr(method, "network") else [])]
    weights = sum(one.nbytes for network in networks for one in network.parameters())
    return {
        "peak_gmac_per_second": rate,
        "floor_ms": None if gmac is None else 1000 * batch_size * gmac / rate,
        "peak_gb_per_second": moved,
        "floor_memory_ms": 1000 * (weights + SINGLE * batch_size * image) / GIGA / moved,
    }


def macs_of(setup: MethodSetup) -> dict[str, float | None]:
    """Multiply-accumulates of an image, giga: by the publication's formulas and as run, towers included."""
    config, card = setup.spec.config, setup.method.card
    tower = tower_macs(config, setup.image_size, taps_of(setup))
    if card.macs is None:
        return {"gmac": None, "gmac_executed": None, "gmac_tower": tower / GIGA, "gmac_text": None, "tflop": None}
    found = card.macs(config, setup.method.options, setup.image_size // config.vision.patch_size)
    gmac = (tower + sum(found.image.values())) / GIGA
    return {
        "gmac": gmac,
        "gmac_executed": (tower + sum(found.executed.values())) / GIGA,
        "gmac_tower": tower / GIGA,
        "gmac_text": found.text / GIGA,
        "tflop": 2 * gmac / 1000,
    }


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
