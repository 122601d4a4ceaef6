"""Encode class names before any image, so that the text encoder is released before the image encoder is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from zsadbench.engine.machine.method_calls import call_method
from zsadbench.errors import CellError
from zsadbench.types import Method, TextFirst

if TYPE_CHECKING:
    from zsadbench.clip import Backbone


def encode_text(method: Method, class_names: Sequence[str], name: str = "") -> None:
    """Compute the text features of these classes, if the method can do so before it scores images (`TextFirst`).

    Args:
        method: the detector.
        class_names: the words for prompts.
        name: of the method, for messages.

    Raises:
        CellError: the method fails.
    """
    name = name or type(method).__name__
    if call_method(name, "encode_text", isinstance, method, TextFirst):
        words = ", ".join(f"'{word}'" for word in class_names[:3]) + (", …" if len(class_names) > 3 else "")
        call_method(name, "encode_text", method.encode_text, class_names, of=f" for {words}")  # type: ignore[attr-defined]


def encode_text_of_classes(method: Method, words: Mapping[str, str], name: str) -> dict[str, CellError]:
    """Compute the text features of all classes that the method can encode, and return the failures of the others.

    Args:
        method: the detector.
        words: class → word for prompts.
        name: of the method, for messages.

    Raises:
        CellError: the method fails for every class.
    """
    try:
        encode_text(method, list(words.values()), name)
    except CellError as failure:
        failures = {key: error for key, word in words.items() if (error := _failure_of(method, word, name))}
        if len(failures) == len(words):
            raise failure
        encode_text(method, [word for key, word in words.items() if key not in failures], name)
        return failures
    return {}


def _failure_of(method: Method, word: str, name: str) -> CellError | None:
    """Return the failure of one word; None where the method encodes it."""
    try:
        encode_text(method, [word], name)
    except CellError as failure:
        return failure
    return None


def release_text(backbone: Backbone, methods: Iterable[Method]) -> None:
    """Release the text encoder, unless one of the methods may use it while it scores; a later use builds it again."""
    if all(isinstance(method, TextFirst) for method in methods):
        backbone.release_text()
