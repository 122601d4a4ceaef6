"""`folder:PATH`: make a card for a folder of labelled images.

Three arrangements are supported:

    PATH/<class>/test/good, PATH/<class>/test/<defect>      several classes, as in MVTec AD
    PATH/test/good, PATH/test/<defect>                      one class, named after the folder
    PATH/good, PATH/<defect>                                one class, without a folder `test`

The folder of normal images may have another name, see `zsadbench.data.user_images.normal_folders`; upper and lower case
do not matter. Masks are in `ground_truth/<defect>/`, in the same folder as `test` or `good`; in the third arrangement
also in `masks/<defect>/` or `masks/`. A mask has the name of its image, alone or with `_mask` after the stem, or one
that can belong to no other image of its folder, see `zsadbench.data.layouts.mask_pairs`. Without any mask folder, only
the image level is evaluated.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from zsadbench.data.cards.card import Card, prompt_words
from zsadbench.data.cards.layout import FilesLayout, Rule
from zsadbench.data.layouts.file_tree import CaseBlind
from zsadbench.data.user_images.normal_folders import SHOWN, normal_folders
from zsadbench.errors import DataError, UsageError

PREFIX = "folder:"
MASK_FOLDERS = ("ground_truth", "masks")  # in the third arrangement
PARTS = ("test", "train", *MASK_FOLDERS)  # folders that are no kind of images


class NoLabelsError(DataError):
    """A folder of which nothing says which images are normal."""


Arrangement = tuple[dict[str, str], tuple[Rule, ...], bool]  # classes with their words, rules, whether there are masks


def folder_card(name: str, normal: Sequence[str] = ()) -> tuple[Card, FilesLayout, Path]:
    """Make the card, the layout and the root of `folder:PATH`.

    Args:
        name: `folder:PATH`.
        normal: names of the folders of normal images; empty to recognise them.

    Raises:
        UsageError: there is no path after the prefix.
        DataError: there is no such folder, or its names do not say which images are normal.
    """
    root = root_of(name)
    classes, rules, masks = _arrangement(root, normal)
    layout = FilesLayout("folder", (), rules, user_made=True)
    title = f"{PREFIX}{root.name}"
    levels = ("image", "pixel") if masks else ("image",)
    card = Card(title, title, "own", levels, classes, (layout,), licence="your own", source=str(root))
    return card, layout, root


def root_of(name: str) -> Path:
    """The folder that `folder:PATH` names.

    Raises:
        UsageError: there is no path after the prefix.
        DataError: there is no such folder.
    """
    text = name.removeprefix(PREFIX)
    if not text.strip():
        raise UsageError(f"'{name}' names no folder; write folder:PATH")
    root = Path(text).expanduser().absolute()
    root = root if root.name and ".." not in root.parts else root.resolve()
    if not os.path.isdir(root):  # noqa: PTH112  (Path.is_dir raises if a name is too long)
        raise DataError(f"'{root}' is no folder (of the target '{name}')")
    return root


def is_labelled(root: Path, normal: Sequence[str] = ()) -> bool:
    """Whether the folder is in one of the three arrangements.

    Raises:
        DataError: it is, and its names can be meant in two ways.
    """
    try:
        _arrangement(root, normal)
    except NoLabelsError:
        return False
    return True


def _arrangement(root: Path, chosen: Sequence[str]) -> Arrangement:
    """Find out which arrangement a folder has.

    Raises:
        DataError: none, or its names do not say which images are normal.
    """
    test, one_class = _inside(root, "test"), {root.name: prompt_words(root.name)}
    if _folders(test):
        good = _normal([test, _inside(root, "train")], chosen)
        return one_class, _mvtec_rules("", good), _inside(root, "ground_truth").is_dir()
    tops = [path for path in _folders(root) if _folders(_inside(path, "test"))]
    if tops:
        good = _normal([_inside(top, part) for top in tops for part in ("test", "train")], chosen)
        classes = {path.name: prompt_words(path.name) for path in tops}
        return classes, _mvtec_rules("{class}/", good), any(_inside(top, "ground_truth").is_dir() for top in tops)
    good = _normal([root], chosen)
    if not good:
        raise NoLabelsError(
            f"'{root}' holds no labels: neither good/ (or {SHOWN}) beside folders of anomalies, nor test/good, nor "
            f"<class>/test/good; --normal NAME says what the folder of normal images is called; metrics need labels; "
            f"scores and heat maps do not: zsadbench predict '{PREFIX}{root}'"
        )
    return one_class, _rules_without_test(good), any(_inside(root, name).is_dir() for name in MASK_FOLDERS)


def _normal(parents: Sequence[Path], chosen: Sequence[str]) -> list[str]:
    """The names of all folders of normal images in these folders.

    Raises:
        DataError: as `normal_folders`, or a chosen name is that of no folder.
    """
    names = {
        parent: [path.name for path in _folders(parent) if path.name.casefold() not in PARTS] for parent in parents
    }
    good = dict.fromkeys(name for parent in parents for name in normal_folders(parent, names[parent], chosen))
    absent = [name for name in chosen if name.casefold() not in {known.casefold() for known in good}]
    if absent:
        there = ", ".join(dict.fromkeys(name for listed in names.values() for name in listed)) or "none"
        raise DataError(f"--normal '{absent[0]}': '{parents[0]}' has no such folder; there are: {there}")
    return list(good)


def _inside(path: Path, name: str) -> Path:
    """The folder `name` in a folder, in whatever case it is written; that path if there is none."""
    return CaseBlind(path).find(name) or path / name


def _folders(path: Path) -> list[Path]:
    """The visible folders in a folder, sorted; none if it does not exist."""
    entries = path.iterdir() if path.is_dir() else ()
    return sorted(entry for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _mvtec_rules(prefix: str, good: Iterable[str]) -> tuple[Rule, ...]:
    normal = [Rule(f"{prefix}{part}/{name}/{{stem}}.{{ext}}", part, 0) for name in good for part in ("train", "test")]
    masks = _masks(prefix + "ground_truth/{defect}/")
    return *normal, Rule(prefix + "test/{defect}/{stem}.{ext}", "test", 1, masks)


def _rules_without_test(good: Iterable[str]) -> tuple[Rule, ...]:
    ignored = tuple(Rule(name + "/{stem}.{ext}", "", None) for name in (*MASK_FOLDERS, "train"))
    folders = ("ground_truth/{defect}/", "masks/{defect}/", "masks/")
    masks = tuple(mask for folder in folders for mask in _masks(folder))
    normal = tuple(Rule(f"{name}/{{stem}}.{{ext}}", "test", 0) for name in good)
    return *ignored, *normal, Rule("{defect}/{stem}.{ext}", "test", 1, masks)


def _masks(folder: str) -> tuple[str, ...]:
    """Templates of a mask in a folder."""
    return folder + "{stem}_mask.png", folder + "{stem}.png"
