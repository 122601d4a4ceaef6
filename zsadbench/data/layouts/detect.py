"""Detect which layout a folder has."""

import os
from pathlib import Path

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import FilesLayout, Layout
from zsadbench.data.layouts.table_layout import expand_classes


def detect_layout(card: Card, layouts: tuple[Layout, ...], folder: Path) -> Layout | None:
    """The first of `layouts` whose probe paths all exist in `folder`; None if there is none.

    A table layout whose table is missing is used only if no other layout matches.
    """
    matching = [layout for layout in layouts if all(_exists(card, probe, folder) for probe in layout.probe)]
    complete = [
        layout for layout in matching if isinstance(layout, FilesLayout) or _exists(card, layout.manifest, folder)
    ]
    return next(iter([*complete, *matching]), None)


def _exists(card: Card, template: str, folder: Path) -> bool:
    """Whether the path of a template exists for any class."""
    paths = (folder / path for path in expand_classes(card, template))
    return any(os.path.exists(path) for path in paths)  # noqa: PTH110  (Path.exists raises if access is denied)


def probe_paths(card: Card, layout: Layout) -> set[tuple[str, ...]]:
    """The probe of a layout, with each class of the card inserted. Cards that share one cannot be told apart by it."""
    return {tuple(probe.replace("{class}", name) for probe in layout.probe) for name in card.classes}
