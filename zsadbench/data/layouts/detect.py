"""Detect which layout a folder has."""

from pathlib import Path

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import MASK_EXTENSIONS, FilesLayout, Layout
from zsadbench.data.cards.template import captures, fill
from zsadbench.data.layouts.file_tree import CaseBlind
from zsadbench.data.layouts.table_layout import expand_classes


def detect_layout(card: Card, layouts: tuple[Layout, ...], folder: Path) -> Layout | None:
    """The first of `layouts` whose probe paths all exist in `folder`; None if there is none.

    A table layout whose table is missing is used only if no other layout matches.
    """
    names = CaseBlind(folder)
    matching = [layout for layout in layouts if all(_exists(card, probe, names) for probe in layout.probe)]
    complete = [
        layout for layout in matching if isinstance(layout, FilesLayout) or _exists(card, layout.manifest, names)
    ]
    return next(iter([*complete, *matching]), None)


def _exists(card: Card, template: str, names: CaseBlind) -> bool:
    """Whether the path of a template exists for any class; `{ext}` stands for any extension of an image."""
    paths = expand_classes(card, template)
    tried = (fill(path, {"ext": extension}) for path in paths for extension in _extensions(template))
    return any(names.find(path) is not None for path in tried)


def _extensions(template: str) -> tuple[str, ...]:
    return MASK_EXTENSIONS if "ext" in captures(template) else ("",)


def probe_paths(card: Card, layout: Layout) -> set[tuple[str, ...]]:
    """The probe of a layout, with each class of the card inserted. Cards that share one cannot be told apart by it."""
    return {tuple(probe.replace("{class}", name) for probe in layout.probe) for name in card.classes}
