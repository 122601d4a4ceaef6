"""Object-agnostic prompts: one normal and one abnormal sentence with learned context (§3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench_methods.parts.prompts import ContextPrompts

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower

ENDINGS = ("without defect.", "with defect.")  # row 0 normal, row 1 abnormal


class Prompts(ContextPrompts):
    """The sentences `[V₁]…[Vₙ] object without defect.` and `[W₁]…[Wₙ] object with defect.` as embeddings.

    All 77 tokens are kept, since FB-CLIP's text tower attends in both directions.

    Raises:
        UsageError: a prompt is too long for the text tower.
    """

    def __init__(self, text: TextTower, context: int, class_word: str) -> None:
        super().__init__(text, context, [f"{class_word} {ending}" for ending in ENDINGS], whole=True)
