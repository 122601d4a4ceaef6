"""The sentences of AA-CLIP: 3 normal and 5 abnormal states in 2 captions.

The published code describes every class in words of its own, such as "dark bottle"; they are in the cards of the data
sets. Doubled articles, as in "a a black zipper with flaw", are kept.
"""

from __future__ import annotations

from zsadbench_methods.parts.states import fill

NORMAL = ("{}", "a {}", "the {}")
ABNORMAL = ("a damaged {}", "a broken {}", "a {} with flaw", "a {} with defect", "a {} with damage")
TEMPLATES = ("{}.", "a photo of {}.")


def sentences_of(class_name: str) -> tuple[list[str], list[str]]:
    """Write the normal and the abnormal sentences of a class, 6 and 10."""
    return fill(NORMAL, TEMPLATES, class_name), fill(ABNORMAL, TEMPLATES, class_name)
