"""Check that a method can use a backbone of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.clip.sizes import BackboneConfig
    from zsadbench.types import MethodCard

WHAT = {
    "clip": "a plain CLIP",
    "image-text": "a pair of image and text encoder other than a plain CLIP",
    "vision-only": "an image encoder alone, without text",
}


def reads_text(card: MethodCard) -> bool:
    """Whether the method needs a text encoder: it takes no image encoder alone."""
    return "vision-only" not in card.kinds


def check_kind(card: MethodCard, config: BackboneConfig) -> None:
    """Raise `UsageError` unless the method can use a backbone of this kind."""
    if config.kind not in card.kinds:
        raise UsageError(
            f"'{card.name}' takes backbones of the kind {' or '.join(card.kinds)}; '{config.name}' is {config.kind}: "
            f"{WHAT[config.kind]}"
        )
