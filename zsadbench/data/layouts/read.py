"""Read the samples of a copy, whichever kind of layout it has."""

from pathlib import Path

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import FilesLayout, Layout
from zsadbench.data.layouts.file_tree import FileLookup, FileTree
from zsadbench.data.layouts.files_layout import read_files
from zsadbench.data.layouts.left_out import left_out_files
from zsadbench.data.layouts.sample import LayoutSamples
from zsadbench.data.layouts.table_layout import read_table


def read_layout(card: Card, layout: Layout, root: Path) -> LayoutSamples:
    """Read every sample below `root`, whose files are arranged as `layout`.

    Raises:
        DataError: a folder cannot be listed, a table is missing or invalid, or a class is unknown.
    """
    if isinstance(layout, FilesLayout):
        tree = FileTree(root)
        content = read_files(card, layout, tree)
    else:
        tree = FileLookup(root) if layout.user_made else FileTree(root)
        content = read_table(card, layout, tree)
    used = {path for sample in content.samples for path in (sample.image, sample.mask)}
    left_out = left_out_files(card, tree, used)
    return content._replace(notes=(*content.notes, *tree.oddities()), left_out=left_out)
