"""FB-CLIP's multiply-accumulates beyond the image tower, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip.macs import attention_macs, text_macs
from zsadbench.types import Macs

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.fbclip.options import Options

INNER = 512  # eight heads of 64, of either stream
ROWS = 5  # of patches that a window of the spatial view reaches
MEANS = 4  # that the semantic view mixes: two kinds of patches, foreground and background weights


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Of an image with grid² patches.

    The publication's L × L products of the semantic view have a closed form that is linear in the patches: they are
    not counted. Executed is less than that for queries, keys, values and gate: they are linear in the tokens, so one
    product a layer serves its views, which are weighted sums of tokens.
    """
    tokens, width, joint = 1 + grid**2, config.vision.width, config.embed_dim
    layers, views = len(options.layers), len(options.views)
    hidden, groups = width // 2 * options.gate, layers * views
    attended = {
        "gate": groups * tokens * hidden * (width + 1),
        "queries, keys, values": groups * 6 * tokens * width * INNER,
        "attention": groups * 2 * attention_macs(tokens, tokens, INNER),
        "output": groups * 2 * tokens * INNER * width,
    }
    read = {"projection": groups * tokens * width * joint, "text": groups * tokens * joint * 2}
    linear = (6 * INNER + hidden) * options.fb_attention
    instead = {
        "gate": groups * tokens * hidden,
        "queries, keys, values": layers * tokens * width * linear,
        "views": layers * (_mixed(options, grid) * (width + linear) + _spread(options, grid) * width),
    }
    if not options.fb_attention:
        return Macs(read, {"views": instead["views"], **read}, text_macs(config, 2))
    return Macs({**attended, **read}, {**attended, **instead, **read}, text_macs(config, 2))


def _mixed(options: Options, grid: int) -> int:
    """What all views of a layer take of one channel."""
    patches = grid**2
    each = {"id": 0, "sem": 2 * MEANS * patches, "spa": ROWS * grid * patches}
    return sum(each[view] for view in options.views)


def _spread(options: Options, grid: int) -> int:
    """What the spatial view takes of one channel to find how far the tokens of a window are from their mean."""
    return "spa" in options.views and ROWS * grid**2 * (grid + 4)
