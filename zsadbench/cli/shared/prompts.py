"""What verbs for a user's images say before they score: the word in prompts, and that the demo backbone is no CLIP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.cli.shared.output import tell
from zsadbench.clip.config import DEMO

if TYPE_CHECKING:
    from zsadbench.clip.resolve import BackboneSpec


def with_word(images: Mapping[Path, str], word: str | None, *, quiet: bool) -> dict[Path, str]:
    """Give all images the user's word for prompts, if there is one, and say which words are used."""
    chosen = {path: word or own for path, own in images.items()}
    say_words(chosen.values(), quiet=quiet)
    return chosen


def say_words(words: Iterable[str], *, quiet: bool) -> None:
    """Say which words are used in prompts, and of how many images."""
    for text, number in Counter(words).items():
        images_of_word = "1 image" if number == 1 else f"{number} images"
        tell(f"'{text}' in prompts of {images_of_word} (--class-name changes it)", quiet=quiet)


def warn_of_demo(spec: BackboneSpec, *, quiet: bool) -> None:
    """Warn where scores come from the demo backbone."""
    if spec.weights.kind == DEMO:
        tell(
            "warning: the demo backbone knows generated pictures alone; its scores of photographs mean nothing. "
            "For real ones: --backbone ViT-L-14-336",
            quiet=quiet,
        )
