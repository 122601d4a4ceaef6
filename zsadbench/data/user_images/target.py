"""Targets that name files of the user: `folder:PATH` and `csv:PATH` as data sets, or any paths as a list of images."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from zsadbench.data.cards.card import Card, prompt_words
from zsadbench.data.cards.layout import Layout
from zsadbench.data.layouts.file_tree import FileTree, is_ignored
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


class UserImage(NamedTuple):
    """One image to predict.

    Attributes:
        path: as the user or the table spells it.
        word: for prompts.
        relative: the place of results of the image below a folder of results, POSIX; it never leads out of the folder.
    """

    path: Path
    word: str
    relative: str


def images_of(names: Iterable[str | Path], normal: Sequence[str] = ()) -> dict[Path, str]:
    """List the images to predict, each once, with the word for prompts that a run uses for them.

    Names are single files, folders of images, `folder:PATH` and `csv:PATH`. A labelled `folder:PATH` gives its test
    images without the masks. Labels in a table are not read. The word is `object` for plain paths, else that of the
    image's class, or of the folder. `normal` are names of folders of normal images, as in `folder_card`.

    Raises:
        DataError: a path does not exist or contains no image, or names of folders can be meant in two ways.
    """
    return {image.path: image.word for image in placed_images(names, normal)}


def placed_images(names: Iterable[str | Path], normal: Sequence[str] = ()) -> list[UserImage]:
    """List the images to predict as `images_of` does, with their places in a tree like that of the input.

    An image of a folder or a table has its path below that folder; single files have theirs below the deepest folder
    that holds all of them. Where several folders are named, each gives a folder of its own name, `name-2` if taken.

    Raises:
        DataError: as `images_of`.
    """
    texts = list(dict.fromkeys(map(str, names)))
    files = [Path(text) for text in texts if not _has_prefix(text) and os.path.isfile(text)]  # noqa: PTH113
    common = Path(os.path.commonpath([file.absolute().parent for file in files])) if files else Path()
    several = len(texts) - len(files) + bool(files) > 1
    taken: set[str] = set()
    found: dict[Path, UserImage] = {}
    for text in texts:
        images, root = _images(text, normal)
        prefix = _free(root.name, taken) if root is not None and several else ""
        for path, word in images.items():
            inside = os.path.relpath(path.absolute(), common if root is None else root.absolute())
            found.setdefault(path, UserImage(path, word, _below(prefix, inside, path.name)))
    return list(found.values())


def _has_prefix(text: str) -> bool:
    return text.startswith((folder.PREFIX, table.PREFIX))


def _free(name: str, taken: set[str]) -> str:
    """Return a name of a folder that is not taken yet, whatever its case, and take it."""
    base, number = name or "images", 1
    name = base
    while name.casefold() in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name.casefold())
    return name


def _below(prefix: str, relative: str, name: str) -> str:
    """Join a prefix and a relative path; a path that would lead upwards or is absolute gives the name alone."""
    parts = PurePath(relative).parts
    inside = relative if not PurePath(relative).is_absolute() and ".." not in parts else name
    return PurePath(prefix, inside).as_posix()


def _images(name: str, normal: Sequence[str]) -> tuple[dict[Path, str], Path | None]:
    """The images of one name with their words, and the folder that they lie in; None for a single file."""
    root: Path | None = None
    if name.startswith(table.PREFIX):
        images = table.table_images(name)
        root = Path(name.removeprefix(table.PREFIX)).expanduser().absolute().parent
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
        path = Path(name)
        root = None if os.path.isfile(path) else path  # noqa: PTH113  (Path.is_file raises if a name is too long)
        images = dict.fromkeys(_files(path), OBJECT)
    if not images:
        raise DataError(f"'{name}' is no image and no folder of images")
    return images, root


def listed_images(folder: Path) -> list[str]:
    """The images below a folder, as `images_of` finds them: POSIX paths relative to it, sorted; empty without any."""
    return list(filter(is_image, FileTree(folder).files))


def is_listed(relative: str) -> bool:
    """Whether a path below a folder would be among its images: it is neither hidden nor of another extension.

    >>> is_listed("a/b.PNG"), is_listed("a/.b.png"), is_listed("a/b.png.part")
    (True, False, False)
    """
    return is_image(relative) and not any(map(is_ignored, PurePath(relative).parts))


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
