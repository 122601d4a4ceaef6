"""Which layout a folder is in, and its reading."""

import os
from pathlib import Path

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import FilesLayout, Layout
from zsadbench.data.layouts.file_tree import Named, Tree
from zsadbench.data.layouts.files_layout import read_files
from zsadbench.data.layouts.sample import Reading
from zsadbench.data.layouts.table_layout import read_table, spelled


def read_layout(card: Card, layout: Layout, root: Path) -> Reading:
    """Every sample below `root`, which is arranged as `layout`.

    Raises:
        DataError: a table is missing or wrong, or a class is unknown.
    """
    if isinstance(layout, FilesLayout):
        tree = Tree(root)
        reading = read_files(card, layout, tree)
    else:
        tree = Named(root) if layout.own else Tree(root)
        reading = read_table(card, layout, tree)
    return reading._replace(notes=(*reading.notes, *tree.oddities()))


def fitting(card: Card, layouts: tuple[Layout, ...], folder: Path) -> Layout | None:
    """The first of `layouts` whose probe `folder` passes; one whose table is missing comes last."""
    fits = [layout for layout in layouts if _fits(card, layout, folder)]
    ready = [layout for layout in fits if isinstance(layout, FilesLayout) or _any(card, layout.manifest, folder)]
    return next(iter([*ready, *fits]), None)


def _fits(card: Card, layout: Layout, folder: Path) -> bool:
    return all(_any(card, probe, folder) for probe in layout.probe)


def _any(card: Card, template: str, folder: Path) -> bool:
    return any(_there(folder / path) for path in spelled(card, template))


def _there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  (Path.exists raises where a folder may not be entered)


def probes(card: Card, layout: Layout) -> set[tuple[str, ...]]:
    """Every way in which the probe of a layout can be spelled out; two cards that share one are easily confused."""
    return {tuple(probe.replace("{class}", name) for probe in layout.probe) for name in card.classes}
