"""States of an object in templates of captions: sentences of an ensemble of prompts (WinCLIP, APRIL-GAN, AdaCLIP)."""

from __future__ import annotations

from collections.abc import Sequence

NORMAL = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
ABNORMAL = ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage")  # APRIL-GAN, AdaCLIP


def fill(states: Sequence[str], templates: Sequence[str], class_name: str) -> list[str]:
    """Write every sentence: the class name in a state, the state in a template; states are the outer loop.

    >>> fill(["{}", "damaged {}"], ["a photo of a {}.", "a {}."], "screw")
    ['a photo of a screw.', 'a screw.', 'a photo of a damaged screw.', 'a damaged screw.']
    """
    return [template.format(state.format(class_name)) for state in states for template in templates]
