"""Multiply-accumulates of the two towers, in closed form.

Counted are the products of matrices: linear layers, convolutions, and both products of every attention. Norms,
activations, softmaxes and sums are not counted. One multiply-accumulate is two floating-point operations. N tokens
through a block of CLIP of width D take `12·N·D²` in linear layers (four for the attention, eight for an MLP four times
as wide) and `2·N²·D` in the attention. An encoder of timm may have another MLP, and registers among its tokens; its
configuration states the weights of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip.taps import place_taps

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig, VisionConfig
    from zsadbench.tokens import Taps

MLP_RATIO = 4


def attention_macs(queries: int, keys: int, width: int) -> int:
    """Count both products of an attention, queries with keys and weights with values; `width` is that of all heads."""
    return 2 * queries * keys * width


def block_macs(tokens: int, width: int) -> int:
    """Count one transformer block on one sequence."""
    return (4 + 2 * MLP_RATIO) * tokens * width**2 + attention_macs(tokens, tokens, width)


def image_macs(vision: VisionConfig, image_size: int, blocks: int | None = None) -> int:
    """Count the plain image tower on one image: all blocks, or the first `blocks` of them."""
    patches, blocks = (image_size // vision.patch_size) ** 2, vision.layers if blocks is None else blocks
    stem = patches * vision.width * 3 * vision.patch_size**2
    tokens = vision.prefix_tokens + patches
    block = tokens * vision.block_products + attention_macs(tokens, tokens, vision.attention_width)
    return stem + blocks * block


def tower_macs(config: BackboneConfig, image_size: int, taps: Taps) -> int:
    """Count the image tower on one image up to the last tap, value-value path included."""
    vision, placed = config.vision, place_taps(taps, config.vision.layers)
    if not placed.last:
        return 0
    tokens, width = 1 + (image_size // vision.patch_size) ** 2, vision.width
    value_block = attention_macs(tokens, tokens, width) + tokens * width**2  # queries, keys, values are those of plain
    value_blocks = placed.last - placed.value_from + 1 if placed.value_blocks else 0
    return image_macs(vision, image_size, placed.last) + value_blocks * value_block


def text_macs(config: BackboneConfig, sentences: int, length: int | None = None) -> int:
    """Count the text tower on sentences of `length` tokens, by default the whole context; without the projection."""
    text = config.text
    tokens = text.context_length if length is None else length
    block = tokens * config.text_block_products + attention_macs(tokens, tokens, text.width)
    return sentences * text.layers * block
