"""Lower bounds of a method's time on a device: its multiply-accumulates, and the bytes it must read and write."""

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
SINGLE = 4  # bytes per number: images and tokens are float32
PRODUCT_SIDE: Mapping[str, int] = {"cpu": 1536, "cuda": 8192}  # side of the square matrices, by device
COPIED_BYTES = 1 << 28  # far more than any cache holds
MAX_CALLS, MAX_SECONDS = 6, 2.0  # of the fastest product or copy


def lower_bounds(
    setup: MethodSetup, backbone: Backbone, method: Method, batch_size: int, gmac: float | None
) -> dict[str, float | None]:
    """Compute two lower bounds of the time of one batch in ms, and the two rates of the device behind them.

    `floor_ms` is the time of the multiply-accumulates at the rate of one large product. `floor_memory_ms` is the time
    to move, at the rate of one large copy: the weights of the image tower and of the trained part once per batch; per
    image its pixels once, and the tokens of every tap twice, written and read.

    Args:
        setup: precision, image size and taps.
        backbone: for its image tower.
        method: for its trained part.
        batch_size: images per batch.
        gmac: multiply-accumulates per image as executed, in units of 1e9; None where the method does not state them.
    """
    product_rate = peak_gmac_per_second(backbone.device, DTYPES[setup.precision])
    copy_rate = peak_gb_per_second(backbone.device)
    vision, taps = setup.spec.config.vision, taps_of(setup)
    numbers_per_tap = (1 + backbone.grid**2) * vision.width
    numbers_per_image = 3 * setup.image_size**2 + 2 * numbers_per_tap * len(taps.blocks + taps.value_blocks)
    networks = [backbone.vision, *([method.network] if hasattr(method, "network") else [])]
    weight_bytes = sum(tensor.nbytes for network in networks for tensor in network.parameters())
    return {
        "peak_gmac_per_second": product_rate,
        "floor_ms": None if gmac is None else 1000 * batch_size * gmac / product_rate,
        "peak_gb_per_second": copy_rate,
        "floor_memory_ms": 1000 * (weight_bytes + SINGLE * batch_size * numbers_per_image) / GIGA / copy_rate,
    }


def macs_of(setup: MethodSetup) -> dict[str, float | None]:
    """Count multiply-accumulates per image in units of 1e9, by the formulas of the publication and as executed.

    The encoders are included. `tflop` counts a multiply-accumulate as two operations, in units of 1e12.
    """
    config, card = setup.spec.config, setup.method.card
    own, tower = taps_of(setup).own_encoding, tower_macs(config, setup.image_size, taps_of(setup))
    if card.macs is None and own:
        return dict.fromkeys(("gmac", "gmac_executed", "gmac_tower", "gmac_text", "tflop"))
    if card.macs is None:
        return {"gmac": None, "gmac_executed": None, "gmac_tower": tower / GIGA, "gmac_text": None, "tflop": None}
    head = card.macs(config, setup.method.options, setup.image_size // config.vision.patch_size)
    tower = tower if head.tower is None else head.tower
    gmac = (tower + sum(head.image.values())) / GIGA
    return {
        "gmac": gmac,
        "gmac_executed": (tower + sum(head.executed.values())) / GIGA,
        "gmac_tower": tower / GIGA,
        "gmac_text": head.text / GIGA,
        "tflop": 2 * gmac / 1000,
    }


def peak_gmac_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the rate of one large square matrix product, in units of 1e9 multiply-accumulates per second."""
    side = PRODUCT_SIDE[device.type]
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(side, side, generator=generator).to(device, dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(left, right)
        wait_for(device)

    return side**3 / _fastest(multiply) / GIGA


def peak_gb_per_second(device: torch.device) -> float:
    """Measure the rate of one large copy on the device, in GB per second, read and written bytes together."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        wait_for(device)

    return 2 * COPIED_BYTES / _fastest(copy) / GIGA


def _fastest(call: Callable[[], None]) -> float:
    """Return the seconds of the fastest of six calls, or of as many as fit into two seconds.

    The limit of two seconds is for processors that emulate bf16. The first call also starts threads, loads kernels and
    gets memory pages; where it is the only one, that is a small part of its time.
    """
    seconds: list[float] = []
    while len(seconds) < MAX_CALLS and sum(seconds) < MAX_SECONDS:
        seconds.append(seconds_of(call))
    return min(seconds)
