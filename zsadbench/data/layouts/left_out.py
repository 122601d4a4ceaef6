"""Find the files of a copy that are or claim to be images and that its layout does not read.

A file claims to be an image by its extension: that of any format of images, video, drawings or scans, also of formats
that are not read. A file with another extension is an image if it begins like one.
"""

import posixpath
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import IMAGE_EXTENSIONS
from zsadbench.data.cards.template import path_glob
from zsadbench.data.images.file_contents import file_content
from zsadbench.data.layouts.file_tree import FileTree

# Of formats that are not read; `test_left_out.py` compares the list with the formats that Pillow knows.
PICTURES = (
    *("avif", "avifs", "blp", "bufr", "bw", "cur", "dcx", "dds", "fit", "fits", "flc", "fli", "ftc", "ftu", "gbr"),
    *("grib", "h5", "hdf", "heic", "heif", "hif", "icb", "icns", "ico", "iim", "im", "jxl", "msp", "palm", "pcd"),
    *("pcx", "psd", "pxr", "qoi", "ras", "rgb", "rgba", "sgi", "tga", "vda", "vst", "xbm", "xpm", "exr", "hdr", "xcf"),
)
RAW = ("arw", "cr2", "cr3", "dng", "nef", "orf", "raf", "rw2")  # of cameras
SCANS = ("nii", "nii.gz", "mha", "mhd", "nrrd", "svs", "ndpi", "czi", "lif", "vsi")  # of medicine and microscopy
DRAWINGS = ("svg", "svgz", "pdf", "eps", "ps", "ai", "emf", "wmf", "cdr", "dxf")
VIDEOS = ("mp4", "m4v", "mov", "avi", "mkv", "webm", "wmv", "mpg", "mpeg", "flv", "3gp", "ts", "mts", "ogv")
CLAIMED_EXTENSIONS = IMAGE_EXTENSIONS.union(PICTURES, RAW, SCANS, DRAWINGS, VIDEOS)


class LeftOut(NamedTuple):
    """Files that are not read: their number, and the first path relative to the root."""

    number: int
    first: str


def left_out_files(card: Card, tree: FileTree, used: AbstractSet[str]) -> dict[str, LeftOut]:
    """Class → the files below its folders that are or claim to be images and are neither used nor `ignored`.

    The class is that of the first folder in the path that has its name; in a data set with one class it is that class.
    Files below no folder of a class are under an empty name. A copy whose root has another name than the data set may
    lie beside other files: there, only folders of classes and folders with a used file are looked at.

    Args:
        card: of the data set.
        tree: all files of the copy.
        used: paths of the images of all splits and of their masks.
    """
    within, is_ignored = _scope(card, used, tree.root), _ignored(card, used)
    by_class: dict[str, list[str]] = {}
    for path in tree.files:
        if path not in used and within(path) and not is_ignored(path) and is_image_file(path, tree.root):
            by_class.setdefault(_class_of(card, path), []).append(path)
    return {name: LeftOut(len(paths), paths[0]) for name, paths in by_class.items()}


def all_left_out(by_class: Mapping[str, LeftOut]) -> LeftOut | None:
    """The files of all classes that are left out; None if there are none."""
    number = sum(left_out.number for left_out in by_class.values())
    return LeftOut(number, min(left_out.first for left_out in by_class.values())) if number else None


def claims_to_be_image(name: str) -> bool:
    """Whether a file has the extension of an image, a video, a drawing or a scan.

    >>> claims_to_be_image("a/clip.MP4"), claims_to_be_image("head.nii.gz"), claims_to_be_image("labels.csv")
    (True, True, False)
    """
    return not CLAIMED_EXTENSIONS.isdisjoint(_extensions(name))


def is_image_file(path: str, root: Path) -> bool:
    """Whether the file at `path` below `root` is an image by its first bytes, or claims to be one."""
    if claims_to_be_image(path):
        return True
    try:
        return file_content(root / path).image
    except OSError:
        return False


def _extensions(name: str) -> tuple[str, str]:
    """The last extension of a file and the last two, without the first dot."""
    parts = posixpath.basename(name).casefold().split(".")[1:]
    return ".".join(parts[-1:]), ".".join(parts[-2:])


def _class_of(card: Card, path: str) -> str:
    if len(card.classes) == 1:
        return next(iter(card.classes))
    named = (card.class_named(folder) for folder in path.split("/")[:-1])
    return next((name for name in named if name), "")


def _ignored(card: Card, used: AbstractSet[str]) -> Callable[[str], bool]:
    """Whether a path matches a glob of the card; a glob of whole folders counts only where no file in them is used."""
    globs = [path_glob(text) for text in card.ignored if not text.endswith("/**")]
    folders = [path_glob(text.removesuffix("/**")) for text in card.ignored if text.endswith("/**")]
    with_images = {posixpath.dirname(path) for path in used} if folders else set()
    used_folders = {folder for path in with_images for folder in _parents(f"{path}/")}
    unused: dict[str, bool] = {}

    def in_ignored_folder(folder: str) -> bool:
        if folder not in unused:
            unused[folder] = folder not in used_folders and any(glob.fullmatch(folder) for glob in folders)
        return unused[folder]

    return lambda path: any(glob.fullmatch(path) for glob in globs) or any(map(in_ignored_folder, _parents(path)))


def _parents(path: str) -> list[str]:
    """The folders above a file, without the root.

    >>> _parents("a/b/1.png")
    ['a', 'a/b']
    """
    parts = path.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def _scope(card: Card, used: AbstractSet[str], root: Path) -> Callable[[str], bool]:
    """Whether a path lies where files belong to the data set."""
    if card.domain == "own" or root.name.casefold().startswith(tuple(name.casefold() for name in card.names)):
        return lambda path: True
    tops = {_top(path) for path in used}
    return lambda path: _top(path) in tops or card.class_named(_top(path)) is not None


def _top(path: str) -> str:
    """The first folder of a path; empty for a file of the root."""
    folder, separator, _ = path.partition("/")
    return folder if separator else ""
