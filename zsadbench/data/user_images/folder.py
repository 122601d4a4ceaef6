"""`folder:PATH`: make a card for a folder of labelled images.

Three arrangements are supported:

    PATH/<class>/test/good, PATH/<class>/test/<defect>      several classes, as in MVTec AD
    PATH/test/good, PATH/test/<defect>                      one class, named after the folder
    PATH/good, PATH/<defect>                                one class, without a folder `test`

Masks are in `ground_truth/<defect>/`, in the same folder as `test` or `good`; in the third arrangement also in
`masks/<defect>/` or `masks/`. A mask has the name of its image, or that name with `_mask` after the stem. Without any
mask folder, only the image level is evaluated.
"""

import os
from pathlib import Path

from zsadbench.data.cards.card import Card, prompt_words
from zsadbench.data.cards.layout import FilesLayout, Rule
from zsadbench.errors import DataError, UsageError

PREFIX = "folder:"
MASK_FOLDERS = ("ground_truth", "masks")  # in the third arrangement


def folder_card(name: str) -> tuple[Card, FilesLayout, Path]:
    """Make the card, the layout and the root of `folder:PATH`.

    Raises:
        UsageError: there is no path after the prefix.
        DataError: there is no such folder, or nothing in it says which images are normal.
    """
    root = root_of(name)
    classes, rules, masks = _arrangement(root)
    layout = FilesLayout("folder", (), rules)
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


def is_labelled(root: Path) -> bool:
    """Whether the folder is in one of the three arrangements, which say which images are normal."""
    has_test = bool(_folders(root / "test")) or any(_folders(path / "test") for path in _folders(root))
    return has_test or (root / "good").is_dir()


def _arrangement(root: Path) -> tuple[dict[str, str], tuple[Rule, ...], bool]:
    """Classes with their words, rules, and whether there are masks."""
    one_class = {root.name: prompt_words(root.name)}
    several = {path.name: prompt_words(path.name) for path in _folders(root) if _folders(path / "test")}
    if _folders(root / "test"):
        return one_class, _mvtec_rules(""), (root / "ground_truth").is_dir()
    if several:
        return several, _mvtec_rules("{class}/"), any((root / name / "ground_truth").is_dir() for name in several)
    if is_labelled(root):
        return one_class, _rules_without_test(), any((root / name).is_dir() for name in MASK_FOLDERS)
    raise DataError(
        f"'{root}' holds no labels: neither good/ beside folders of anomalies, nor test/good, nor <class>/test/good; "
        f"metrics need labels; scores and heat maps do not: zsadbench predict '{PREFIX}{root}'"
    )


def _folders(path: Path) -> list[Path]:
    """The visible folders in a folder, sorted; none if it does not exist."""
    entries = path.iterdir() if path.is_dir() else ()
    return sorted(entry for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _mvtec_rules(prefix: str) -> tuple[Rule, ...]:
    return (
        Rule(prefix + "train/good/{stem}.{ext}", "train", 0),
        Rule(prefix + "test/good/{stem}.{ext}", "test", 0),
        Rule(prefix + "test/{defect}/{stem}.{ext}", "test", 1, _masks(prefix + "ground_truth/{defect}/")),
    )


def _rules_without_test() -> tuple[Rule, ...]:
    ignored = tuple(Rule(name + "/{stem}.{ext}", "", None) for name in (*MASK_FOLDERS, "train"))
    folders = ("ground_truth/{defect}/", "masks/{defect}/", "masks/")
    masks = tuple(mask for folder in folders for mask in _masks(folder))
    good = Rule("good/{stem}.{ext}", "test", 0)
    return *ignored, good, Rule("{defect}/{stem}.{ext}", "test", 1, masks)


def _masks(folder: str) -> tuple[str, ...]:
    """Templates of a mask in a folder."""
    return folder + "{stem}_mask.png", folder + "{stem}.png"
