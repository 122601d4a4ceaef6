"""The floor's multiply-accumulates beyond the image tower, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip.macs import text_macs
from zsadbench.types import Macs

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.clip.options import Options


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Of an image with grid² patches: every token into the joint space, and beside two sentences."""
    tokens, joint = 1 + grid**2, config.embed_dim
    image = {"projection": tokens * config.vision.width * joint, "text": tokens * joint * 2}
    return Macs(image, image, text_macs(config, 2))
