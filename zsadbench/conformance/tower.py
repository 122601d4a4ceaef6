"""Very small random backbones of every kind, made in memory: nothing is downloaded or read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from zsadbench.clip import Backbone, BackboneSpec, build
from zsadbench.clip.sizes import BackboneConfig, TextConfig, VisionConfig
from zsadbench.clip.timm_models.library import vision_only_of
from zsadbench.clip.timm_models.pairs import pair_of
from zsadbench.clip.weights import locate_weights

if TYPE_CHECKING:
    from zsadbench.tokens import BackboneKind, Taps

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
CLIP_SIZE = 70  # pixels of the input: 5 × 5 patches, while the positional table has 2 × 2 and is resized
PAIR: dict[str, Any] = {  # timm's test_vit is a small transformer with patches of 16 pixels
    "embed_dim": 32,
    "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": None},
    "text_cfg": TEXT,
}
PAIR_SIZE = 80
ENCODER = {"embed_dim": 64, "depth": 24, "num_heads": 1, "init_values": 0.5, "img_size": 70}
NOTE = "tiny"  # in the name of each


def config_of(kind: BackboneKind) -> tuple[BackboneConfig, int]:
    """Return the architecture of a very small backbone of a kind, and the side of its input in pixels."""
    if kind == "vision-only":
        return vision_only_of({"timm": "vit_small_patch14_dinov2", "arguments": ENCODER}, NOTE), 70
    if kind == "image-text":
        return pair_of(f"{NOTE}-pair", PAIR), PAIR_SIZE
    vision = VisionConfig(image_size=28, patch_size=14, width=64, layers=24, heads=1)
    return BackboneConfig(f"{NOTE}-clip", 32, quick_gelu=True, vision=vision, text=TextConfig(**TEXT)), CLIP_SIZE


@cache
def _built(kind: BackboneKind, activation: Any, position: Any) -> Backbone:
    config, size = config_of(kind)
    spec = BackboneSpec(config, locate_weights("random", config, config.name, offline=True))
    return build(spec, size, activation=activation, position=position)


def tiny_backbone(kind: BackboneKind, taps: Taps) -> Backbone:
    """Return the frozen very small backbone of a kind, as the engine builds it for these taps; made once per process.

    Raises:
        UsageError: the taps want another activation than such an encoder has.
    """
    return _built(kind, taps.activation, taps.position)
