"""AnomalyCLIP's multiply-accumulates beyond the image tower and its value-value path, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip.macs import text_macs
from zsadbench.types import Macs

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.anomalyclip.options import Options

SENTENCE = 5  # tokens of the longer default sentence beside its context, start and end included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Of an image with grid² patches: every layer's tokens, and the class token, into the joint space."""
    tokens, width, joint = 1 + grid**2, config.vision.width, config.embed_dim
    layers = len(options.layers)
    projection = {"projection": (layers * tokens + 1) * width * joint}
    text = {"text": (layers * (tokens - 1) + 1) * joint * 2}  # executed with the difference of both sentences
    return Macs({**projection, **text}, projection, text_macs(config, 2, options.context + SENTENCE))
