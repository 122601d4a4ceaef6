"""Object-agnostic prompts, and the deep prompts that replace their first tokens in later text blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from zsadbench_methods.parts.deep_prompts import DeepPrompts
from zsadbench_methods.parts.prompts import ContextPrompts

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench_methods.anomalyclip.options import Options


class Prompts(ContextPrompts):
    """The sentences `[V₁]…[Vₙ] object.` and `[W₁]…[Wₙ] damaged object.`, and deep prompts shared by both.

    Raises:
        UsageError: a prompt is too long for the text tower.
    """

    def __init__(self, text: TextTower, blocks: int, options: Options) -> None:
        endings = (f"{options.class_word}.", f"{options.damage_word} {options.class_word}.")
        super().__init__(text, options.context, endings, whole=False)
        self.deep = DeepPrompts(
            options.deep_depth - 1, (options.deep_length, self.normal.shape[1]), blocks, rounded=options.deep_half
        )

    def deep_prompts(self) -> list[Tensor]:
        """Return the deep prompts for the text tower, (2, deep_length, width) each."""
        return self.deep.for_sentences(2)
