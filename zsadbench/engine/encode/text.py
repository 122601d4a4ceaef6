"""Text before images: with the text features made, the text tower is let go before the image tower is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zsadbench.types import Method, TextFirst

if TYPE_CHECKING:
    from zsadbench.clip import Backbone


def encode_text(method: Method, class_names: Sequence[str]) -> None:
    """Make the text features with which `method` scores these classes, if it can make them beforehand."""
    if isinstance(method, TextFirst):
        method.encode_text(class_names)


def release_text(backbone: Backbone, methods: Iterable[Method]) -> None:
    """Let the text tower go, unless one of the methods may want it for an image; what lacks it builds it anew."""
    if all(isinstance(method, TextFirst) for method in methods):
        backbone.release_text()
