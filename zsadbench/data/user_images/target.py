"""Targets that name files of the user: `folder:PATH` and `csv:PATH` as data sets, or any paths as a list of images."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from zsadbench.data.cards.card import Card, prompt_words
from zsadbench.data.cards.layout import Layout
from zsadbench.data.layouts.file_tree import FileTree
from zsadbench.data.layouts.left_out import LeftOut, all_left_out, is_image_file
from zsadbench.data.layouts.mask_pairs import is_image
from zsadbench.data.layouts.read import read_layout
from zsadbench.data.user_images import folder, table
from zsadbench.data.user_images.normal_folders import SHOWN
from zsadbench.errors import DataError
from zsadbench.printing import left_out_line

log = logging.getLogger(__name__)

OBJECT = "object"  # the word for prompts where nothing says what an image shows
NORMAL_NAMES = f"a folder of normal images is named {SHOWN}, or as --normal NAME says"


def is_user_target(name: str) -> bool:
    """Whether the name of a target or a card means files of the user.

    >>> is_user_target("folder:photos"), is_user_target("csv:list.csv"), is_user_target("visa")
    (True, True, False)
    """
    return name.startswith((folder.PREFIX, table.PREFIX))


def is_folder(name: str) -> bool:
    """Whether the name of a target or a card is `folder:…`."""
    return name.startswith(folder.PREFIX)


def user_target_card(name: str, normal: Sequence[str] = ()) -> tuple[Card, Layout, Path]:
    """Make the card, the layout and the root of `folder:PATH` or `csv:PATH`.

    `normal` are names of folders of normal images, as in `folder_card`.

    Raises:
        UsageError: there is no path after the prefix.
        DataError: the folder or the table does not exist, or does not say which images are normal.
    """
    return table.table_card(name) if name.startswith(table.PREFIX) else folder.folder_card(name, normal)


def images_of(names: Iterable[str | Path], normal: Sequence[str] = ()) -> dict[Path, str]:
    """List the images to predict, each once, with the word for prompts that a run uses for them.

    Names are single files, folders of images, `folder:PATH` and `csv:PATH`. A labelled `folder:PATH` gives its test
    images without the masks. Labels in a table are not read. The word is `object` for plain paths, else that of the
    image's class, or of the folder. `normal` are names of folders of normal images, as in `folder_card`.

    Raises:
        DataError: a path does not exist or contains no image, or names of folders can be meant in two ways.
    """
    found: dict[Path, str] = {}
    for name in names:
        for path, word in _images(str(name), normal).items():
            found.setdefault(path, word)
    return found


def _images(name: str, normal: Sequence[str]) -> dict[Path, str]:
    if name.startswith(table.PREFIX):
        images = table.table_images(name)
    elif name.startswith(folder.PREFIX) and folder.is_labelled(folder.root_of(name), normal):
        card, layout, root = folder.folder_card(name, normal)
        content = read_layout(card, layout, root)
        images = {
            root / sample.image: card.classes[sample.class_name] for sample in content.samples if sample.split == "test"
        }
        _warn_of(all_left_out(content.left_out), root)
    elif name.startswith(folder.PREFIX):
        root = folder.root_of(name)
        images = dict.fromkeys(_files(root), prompt_words(root.name))
    else:
        images = dict.fromkeys(_files(Path(name)), OBJECT)
    if not images:
        raise DataError(f"'{name}' is no image and no folder of images")
    return images


def _files(path: Path) -> list[Path]:
    """A file, or all images below a folder."""
    if os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises if a name is too long)
        return [path]
    files = FileTree(path).files if os.path.isdir(path) else []  # noqa: PTH112
    read = list(filter(is_image, files))
    known = set(read)
    unread = [file for file in files if file not in known and is_image_file(file, path)]
    _warn_of(LeftOut(len(unread), unread[0]) if unread else None, path)
    return [path / file for file in read]


def _warn_of(left_out: LeftOut | None, root: Path) -> None:
    if left_out:
        log.warning("'%s': %s", root, left_out_line(*left_out))
