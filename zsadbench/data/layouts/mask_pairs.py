"""Pair images with masks whose names are not those of the layout's rules, in folders of the user.

A mask belongs to an image if both names have the same parts (see `name_key`: `000_GT.png`, `mask-000.png` and
`000.png.png` have those of `000.jpg`) and no other image or mask of the folder has them. Nothing is paired by position.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from zsadbench.data.cards.layout import IMAGE_EXTENSIONS
from zsadbench.data.layouts.file_tree import FileTree
from zsadbench.data.layouts.pair_names import Key, name_key


def pair_by_parts(folders: Mapping[str, Sequence[str]], tree: FileTree, taken: Iterable[str]) -> dict[str, str]:
    """Image → mask, for those of the images that exactly one mask can belong to.

    Args:
        folders: image → the folders in which its mask may be.
        tree: the files.
        taken: files that are images or masks already.
    """
    used, pairs = set(taken), dict[str, str]()
    by_folder: dict[str, list[str]] = defaultdict(list)
    for image, places in folders.items():
        for folder in places:
            by_folder[folder].append(image)
    for folder, images in by_folder.items():
        masks = _by_parts(path for path in tree.files_in(folder) if is_image(path) and path not in used)
        for key, owners in _by_parts(image for image in images if image not in pairs).items():
            if key and len(owners) == 1 and len(masks.get(key, ())) == 1:
                pairs[owners[0]] = masks[key][0]
    return pairs


def is_image(path: str) -> bool:
    """Whether a path has an extension of images that are read."""
    return path.rpartition(".")[2].casefold() in IMAGE_EXTENSIONS


def _by_parts(paths: Iterable[str]) -> dict[Key, list[str]]:
    by_key: dict[Key, list[str]] = defaultdict(list)
    for path in paths:
        by_key[name_key(_without_extensions(path) + ".")].append(path)
    return by_key


def _without_extensions(path: str) -> str:
    """The path without extensions of images, of which a file may have several.

    >>> _without_extensions("gt/000.png.PNG"), _without_extensions("v1.2.png")
    ('gt/000', 'v1.2')
    """
    stem, _, extension = path.rpartition(".")
    return _without_extensions(stem) if posixpath.basename(stem) and extension.casefold() in IMAGE_EXTENSIONS else path
