"""AF-CLIP's multiply-accumulates beyond the image tower, in closed form; without a memory of shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip.macs import attention_macs, text_macs
from zsadbench.types import Macs
from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.afclip.options import Options

INNER = HEADS * HEAD_WIDTH
SENTENCE = 5  # tokens of the default sentences, start and end included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Of an image with grid² patches; the aggregation as a two-dimensional filter of every channel.

    Executed is a filter of two one-dimensional ones, each a matrix. Queries, keys and values are linear in the tokens:
    one product a layer serves its windows, and is aggregated as the tokens are. Both sentences come as a difference.
    """
    tokens, width, joint = 1 + grid**2, config.vision.width, config.embed_dim
    layers, windows = len(options.layers), [window for window in options.windows if window > 1]
    sets, fused = layers * len(options.windows), 3 * INNER * options.adapter
    same = {
        "attention": sets * attention_macs(tokens, tokens, INNER) * options.adapter,
        "output": sets * tokens * INNER * width * options.adapter,
        "projection": sets * tokens * width * joint,
    }
    image = {
        "aggregation": layers * sum(window**2 for window in windows) * grid**2 * width,
        "queries, keys, values": sets * tokens * width * fused,
        "text": sets * tokens * joint * 2,
    }
    executed = {
        "aggregation": len(windows) * 2 * grid**3 * (len(options.blocks) * width + layers * fused),
        "queries, keys, values": layers * tokens * width * fused,
    }
    return Macs({**image, **same}, {**executed, **same}, text_macs(config, 2, options.context + SENTENCE))
