"""The multiply-accumulates of MFP-CLIP in closed form. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip import map_taps
from zsadbench.clip.macs import block_macs, image_macs, text_macs
from zsadbench.types import Macs

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.mfpclip.options import Options

LENGTH = 8  # tokens of a sentence about a class whose name is one token, both ends included
RESNET_LAYERS = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks and width of the four layers of a ResNet-50


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, for a class whose name is one token.

    Inside the encoders: the ResNet-50, both sentences, one or two passes, and between two the head, once more. Executed
    is one product with the difference of both texts.
    """
    size = grid * config.vision.patch_size
    passes = 2 if options.mp else 1
    tower = passes * pass_macs(config, options, grid)
    if options.with_resnet:
        tower += resnet_macs(options.resnet_size or size, last=int(options.resnet_layer[-1]))
    tower += sentence_macs(config, options)
    patches, width, joint = len(options.layers) * grid**2, config.vision.width, config.embed_dim
    inner = options.adapter_width or joint
    adapters = {"adapters": patches * (width * inner + inner * joint)}
    executed = {**adapters, "text": patches * joint}
    if options.mp:
        rows = grid**2 + options.mp_class_token
        tower += sum(executed.values()) + rows * width * 2 * (width if options.mp_axis == "channels" else rows)
    return Macs({**adapters, "text": 2 * patches * joint}, executed, text=0, tower=tower)


def pass_macs(config: BackboneConfig, options: Options, grid: int) -> int:
    """Count one pass of an image with its self prompts, up to the last tapped block."""
    vision, own, extra = config.vision, 1 + grid**2, 0
    blocks = map_taps(options.layers, vision.layers)
    prompted = range(2, blocks[options.sp_stages - 1] + 1) if options.sp_stages else range(0)
    count = image_macs(vision, grid * vision.patch_size, blocks=0)
    for number in range(1, max(blocks) + 1):
        if number in prompted:
            extra = (max(0, extra - options.prompts) if options.sp_dropped == "half" else 0) + options.prompt_tokens
        elif not options.sp_kept:
            extra = 0
        count += block_macs(own + extra, vision.width)
    dynamic = options.prompts * options.source_width * vision.width
    return count + (dynamic * (1 if options.sp_shared else len(prompted)) if prompted else 0)


def sentence_macs(config: BackboneConfig, options: Options) -> int:
    """Count both sentences with what the image gives them."""
    width, whole = config.text.width, config.text.context_length
    by_tokens = options.i2tp and options.i2tp_axis == "tokens"
    length = whole if by_tokens else LENGTH
    count = text_macs(config, 2, length) + 2 * width * config.embed_dim
    if not options.i2tp:
        return count
    count += options.source_width * width + (width**2 if options.i2tp_map == "mlp" else 0)
    return count + 2 * (width * (whole + 1) * whole if by_tokens else length * 2 * width**2)


def resnet_macs(size: int, last: int) -> int:
    """Count a ResNet-50 on one image up to its layer `last`, 1 to 4, without the classifier.

    >>> round(resnet_macs(224, last=4) / 1e9, 2)
    4.09
    """

    def halved(side: int) -> int:
        return -(-side // 2)

    side = halved(size)
    count, channels = side**2 * 64 * 3 * 7**2, 64
    side = halved(side)  # the pooling
    for number, (blocks, width) in enumerate(RESNET_LAYERS[:last]):
        for block in range(blocks):
            before, side = side, halved(side) if number and not block else side
            count += before**2 * channels * width + side**2 * (9 * width**2 + 4 * width**2)
            count += 0 if block else side**2 * channels * 4 * width
            channels = 4 * width
    return count
