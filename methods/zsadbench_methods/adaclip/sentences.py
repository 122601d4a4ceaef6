"""The sentences of AdaCLIP: 7 normal and 5 abnormal states in 4 captions."""

from __future__ import annotations

from zsadbench_methods.parts.states import ABNORMAL, NORMAL, fill

TEMPLATES = (
    "a bad photo of a {}.",
    "a low resolution photo of the {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
)


def sentences_of(class_name: str) -> tuple[list[str], list[str]]:
    """Write the normal and the abnormal sentences of a class, 28 and 20; hyphens of its name become spaces."""
    words = class_name.replace("-", " ")
    return fill(NORMAL, TEMPLATES, words), fill(ABNORMAL, TEMPLATES, words)
