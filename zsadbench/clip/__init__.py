"""The frozen backbone: CLIP through open_clip, image encoders through timm, which only this package imports.

A backbone is of one of three kinds (`zsadbench.tokens.BackboneKind`): `clip`, `image-text`, `vision-only`. `resolve`
finds architecture and weights without loading them; `Backbone` has the towers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsadbench.clip.resolve import BackboneSpec, check_activation, check_tokenizer, resolve
from zsadbench.clip.taps import OWN_RULE, REFERENCE_DEPTH, RULE, map_taps, place_taps
from zsadbench.clip.weights import cache_folder

if TYPE_CHECKING:
    from zsadbench.clip.backbone import Backbone, build

__all__ = [
    "OWN_RULE",
    "REFERENCE_DEPTH",
    "RULE",
    "Backbone",
    "BackboneSpec",
    "build",
    "cache_folder",
    "check_activation",
    "check_tokenizer",
    "map_taps",
    "place_taps",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name in {"Backbone", "build"}:
        from zsadbench.clip import backbone

        return getattr(backbone, name)
    raise AttributeError(f"module 'zsadbench.clip' has no attribute '{name}'")
