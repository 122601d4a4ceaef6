"""What the registry knows about AF-CLIP+'s memory alone, on any image encoder. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.types import Macs, MethodCard, Taps
from zsadbench_methods.afclip.about import CARD as AFCLIP
from zsadbench_methods.afclip.options import MemoryOptions

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.afclip.memory_alone import AFCLIPMemory

SHOTS = 4  # normal images for which the cost is stated


def needs_shots(options: MemoryOptions) -> bool:
    """Whether it scores nothing without normal images: always."""
    return True


def macs(config: BackboneConfig, options: MemoryOptions, grid: int) -> Macs:
    """Count the aggregation, and the search of one image among the patches of four normal images.

    Published is an aggregation that filters every channel in two dimensions; executed is a filter of two
    one-dimensional ones.
    """
    width, layers, windows = config.vision.width, len(options.layers), [side for side in options.windows if side > 1]
    search = {"search": layers * len(options.windows) * grid**2 * grid**2 * SHOTS * width}
    published = {"aggregation": layers * sum(side**2 for side in windows) * grid**2 * width}
    executed = {"aggregation": layers * len(windows) * 2 * grid**3 * width}
    return Macs({**published, **search}, {**executed, **search}, 0)


def _build(backbone: Backbone, options: MemoryOptions) -> AFCLIPMemory:
    from zsadbench_methods.afclip.memory_alone import AFCLIPMemory

    return AFCLIPMemory(options)


def _taps(options: MemoryOptions) -> Taps:
    return Taps(options.layers, options.activation, options.position, "rgb_first")


MEMORY = MethodCard(
    name="afclip-memory",
    version="1",
    paper=AFCLIP.paper,
    options=MemoryOptions,
    taps=_taps,
    build=_build,
    smoothing=AFCLIP.smoothing,
    few_shot=True,
    needs_shots=needs_shots,
    kinds=("clip", "image-text", "vision-only"),
    macs=macs,
)
