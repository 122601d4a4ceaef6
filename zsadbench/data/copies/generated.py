"""Sets that are drawn on first use: in the cache, whole or not at all, each edition in a folder of its own."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from zsadbench.clip import cache_folder
from zsadbench.data.cards.card import Card
from zsadbench.data.catalogue import brought_with
from zsadbench.errors import DataError


def drawn_copy(card: Card) -> Path:
    """The folder of a generated set, drawn now if it has never been.

    The package that brings the card draws it with its own `generate(name, folder)`; its `edition(name)` is a
    text that changes whenever what is drawn does. The set is drawn beside its place and then moved there, so
    that neither an interruption nor a second process leaves half of it.

    Raises:
        DataError: the package draws no such set, or the cache cannot be written to.
    """
    generate, edition = brought_with(card, "generate"), brought_with(card, "edition")
    if generate is None or edition is None:
        raise DataError(f"{card.name}: its card says that it is drawn, but its package has no generate and edition")
    folder = cache_folder() / "demo" / f"{card.name}-{edition(card.name)}"
    if not folder.is_dir():
        try:
            _draw(card, generate, folder)
        except OSError as failure:
            raise DataError(
                f"{card.name}: cannot be drawn into '{folder}': {failure}; set ZSADBENCH_CACHE to a folder of yours"
            ) from failure
    return folder


def _draw(card: Card, generate: Callable[[str, Path], object], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".drawing-", dir=folder.parent) as beside:
        drawn = Path(beside) / "set"
        drawn.mkdir()
        generate(card.name, drawn)
        try:
            drawn.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was quicker, and drew the same
                raise
