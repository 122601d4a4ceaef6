"""Encode class names before any image, so that the text encoder is released before the image encoder is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zsadbench.types import Method, TextFirst

if TYPE_CHECKING:
    from zsadbench.clip import Backbone


def encode_text(method: Method, class_names: Sequence[str]) -> None:
    """Compute the text features of these classes, if the method can do so before it scores images (`TextFirst`)."""
    if isinstance(method, TextFirst):
        method.encode_text(class_names)


def release_text(backbone: Backbone, methods: Iterable[Method]) -> None:
    """Release the text encoder, unless one of the methods may use it while it scores; a later use builds it again."""
    if all(isinstance(method, TextFirst) for method in methods):
        backbone.release_text()
