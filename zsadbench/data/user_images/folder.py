"""`folder:PATH`: a card made on the fly for one's own labelled images.

Three arrangements are understood:

    PATH/<class>/test/good, PATH/<class>/test/<defect>      several classes, as in MVTec AD
    PATH/test/good, PATH/test/<defect>                      one class, named after the folder
    PATH/good, PATH/<defect>                                the same, bare

Masks lie in `ground_truth/<defect>/` beside `test` (or beside `good`; there, `masks/<defect>/` and `masks/`
do as well), named as the image or with `_mask` after the stem. Without any, the set has image level only.
"""

import os
from pathlib import Path

from zsadbench.data.cards.card import Card, prompt_words
from zsadbench.data.cards.layout import FilesLayout, Rule
from zsadbench.errors import DataError, UsageError

PREFIX = "folder:"
BARE_MASKS = ("ground_truth", "masks")


def folder_card(name: str) -> tuple[Card, FilesLayout, Path]:
    """The card, the layout and the root that `folder:PATH` means.

    Raises:
        UsageError: no path is given.
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
        UsageError: no path is given.
        DataError: there is no such folder.
    """
    text = name.removeprefix(PREFIX)
    if not text.strip():
        raise UsageError(f"'{name}' names no folder; write folder:PATH")
    root = Path(text).expanduser().absolute()
    root = root if root.name and ".." not in root.parts else root.resolve()
    if not os.path.isdir(root):  # noqa: PTH112  (Path.is_dir raises where a name is too long)
        raise DataError(f"'{root}' is no folder (of the target '{name}')")
    return root


def labelled(root: Path) -> bool:
    """Whether a folder says which of its images are normal."""
    return (
        (root / "good").is_dir() or bool(_folders(root / "test")) or any(_folders(p / "test") for p in _folders(root))
    )


def _arrangement(root: Path) -> tuple[dict[str, str], tuple[Rule, ...], bool]:
    """Classes with their words, rules, and whether there are masks."""
    one = {root.name: prompt_words(root.name)}
    several = {path.name: prompt_words(path.name) for path in _folders(root) if _folders(path / "test")}
    if _folders(root / "test"):
        return one, _tested(""), (root / "ground_truth").is_dir()
    if several:
        return several, _tested("{class}/"), any((root / name / "ground_truth").is_dir() for name in several)
    if labelled(root):
        return one, _bare(), any((root / name).is_dir() for name in BARE_MASKS)
    raise DataError(
        f"'{root}' holds no labels: neither good/ beside folders of anomalies, nor test/good, nor <class>/test/good; "
        f"metrics need labels; scores and heat maps do not: zsadbench predict '{PREFIX}{root}'"
    )


def _folders(path: Path) -> list[Path]:
    found = path.iterdir() if path.is_dir() else ()
    return sorted(entry for entry in found if entry.is_dir() and not entry.name.startswith("."))


def _tested(before: str) -> tuple[Rule, ...]:
    return (
        Rule(before + "train/good/{stem}.{ext}", "train", 0),
        Rule(before + "test/good/{stem}.{ext}", "test", 0),
        Rule(before + "test/{defect}/{stem}.{ext}", "test", 1, _masks(before + "ground_truth/{defect}/")),
    )


def _bare() -> tuple[Rule, ...]:
    passed = tuple(Rule(name + "/{stem}.{ext}", "", None) for name in (*BARE_MASKS, "train"))
    folders = ("ground_truth/{defect}/", "masks/{defect}/", "masks/")
    masks = tuple(mask for folder in folders for mask in _masks(folder))
    good = Rule("good/{stem}.{ext}", "test", 0)
    return *passed, good, Rule("{defect}/{stem}.{ext}", "test", 1, masks)


def _masks(folder: str) -> tuple[str, ...]:
    return folder + "{stem}_mask.png", folder + "{stem}.png"
