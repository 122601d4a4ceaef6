"""One's own images: `folder:PATH` and `csv:PATH`, as a card made on the fly, or as a plain list to be scored."""

import os
from collections.abc import Iterable
from pathlib import Path

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import IMAGE_EXTENSIONS, Layout
from zsadbench.data.layouts.file_tree import Tree
from zsadbench.data.layouts.read import read_layout
from zsadbench.data.user_images import folder, table
from zsadbench.errors import DataError


def is_own(name: str) -> bool:
    """Whether a target, or a card, is somebody's own set.

    >>> is_own("folder:photos"), is_own("csv:list.csv"), is_own("visa")
    (True, True, False)
    """
    return name.startswith((folder.PREFIX, table.PREFIX))


def own_card(name: str) -> tuple[Card, Layout, Path]:
    """The card, the layout and the root that `folder:PATH` or `csv:PATH` means.

    Raises:
        UsageError: no path is given.
        DataError: there is no such folder or table, or nothing in it says which images are normal.
    """
    return table.table_card(name) if name.startswith(table.PREFIX) else folder.folder_card(name)


def images_of(names: Iterable[str | Path]) -> list[Path]:
    """Images to be scored, each once: files as given, those below a folder, those of `folder:PATH` and `csv:PATH`.

    Of a labelled `folder:PATH` these are its test images, not its masks; labels of a table are not looked at.

    Raises:
        DataError: something is not there, or holds no image.
    """
    return list(dict.fromkeys(path for name in names for path in _images(str(name))))


def _images(name: str) -> list[Path]:
    if name.startswith(table.PREFIX):
        return _found(name, table.table_images(name))
    if name.startswith(folder.PREFIX) and folder.labelled(folder.root_of(name)):
        card, layout, root = folder.folder_card(name)
        samples = read_layout(card, layout, root).samples
        return _found(name, [root / sample.image for sample in samples if sample.split == "test"])
    path = folder.root_of(name) if name.startswith(folder.PREFIX) else Path(name)
    if os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises where a name is too long)
        return [path]
    inside = Tree(path).files if os.path.isdir(path) else []  # noqa: PTH112
    return _found(name, [path / one for one in inside if one.rpartition(".")[2].casefold() in IMAGE_EXTENSIONS])


def _found(name: str, images: list[Path]) -> list[Path]:
    if not images:
        raise DataError(f"'{name}' is no image and no folder of images")
    return images
