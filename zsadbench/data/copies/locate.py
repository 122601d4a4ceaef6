"""Find the copy of a data set below the data roots.

Each root is searched in these steps, until one finds something:

1. a sub-folder with the name of the data set, an alias, or a folder name of the card, ignoring case, dashes,
   underscores and spaces;
2. a sub-folder whose name starts with one of these names;
3. the root itself, if its own name is or starts with one of these; else the root, then its sub-folders, by a probe that
   no other card has;
4. a folder with one of the names one level further down, as in collections of several data sets.

In a folder that is found, the probe may match up to two levels further down.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import Layout, TableLayout
from zsadbench.data.catalogue import all_cards
from zsadbench.data.copies.generated import generated_copy
from zsadbench.data.layouts.detect import detect_layout, probe_paths
from zsadbench.data.layouts.file_tree import is_ignored
from zsadbench.errors import DataError, not_found

VARIABLE = "ZSADBENCH_DATA"
MAX_DEPTH = 2  # levels below the folder with the name at which a probe may match


class CopyLocation(NamedTuple):
    """A copy on disk: its root and its layout."""

    root: Path
    layout: Layout


def roots_from_environment() -> tuple[Path, ...]:
    """The data roots in ZSADBENCH_DATA, separated as in PATH."""
    return tuple(Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text)


def find_copy(card: Card, roots: Sequence[str | Path] | None = None) -> CopyLocation:
    """Find the copy of a data set below `roots`.

    Without `roots`, ZSADBENCH_DATA_<NAME>, which points at the data set itself, is used first, then the roots in
    ZSADBENCH_DATA. A generated data set is in the cache, unless that variable points at it.

    Raises:
        DataError: no folder matches, or two do.
    """
    if not roots or card.generated:
        location = _from_own_variable(card)
        if location is not None:
            return location
    if card.generated:
        return CopyLocation(generated_copy(card), card.layouts[0])
    folders = [Path(root).expanduser().absolute() for root in roots or roots_from_environment()]
    for folder in folders:
        for step in (_by_name, _by_prefix, _root_itself, _by_unique_probe, _by_name_deeper):
            locations = _distinct(step(card, folder))
            if locations:
                return _only(card, locations)
    raise _not_found(card, folders)


def variable_of(name: str) -> str:
    """The environment variable that points at the folder of one data set.

    >>> variable_of("mvtec")
    'ZSADBENCH_DATA_MVTEC'
    """
    return f"{VARIABLE}_{re.sub('[^A-Z0-9]', '_', name.upper())}"


def _from_own_variable(card: Card) -> CopyLocation | None:
    for variable in map(variable_of, (card.name, *card.aliases)):
        text = os.environ.get(variable)
        if text:
            locations = _matching(card, card.layouts, Path(text).expanduser().absolute(), MAX_DEPTH)
            if not locations:
                raise DataError(f"{card.name}: {variable} points at '{text}', {_mismatch(card)}")
            return _only(card, locations)
    return None


def _by_name(card: Card, root: Path) -> list[CopyLocation]:
    return _in_folders(card, root, lambda name: name in _keys(card))


def _by_prefix(card: Card, root: Path) -> list[CopyLocation]:
    names = _keys(card)
    return _in_folders(card, root, lambda name: name not in names and name.startswith(names))


def _root_itself(card: Card, root: Path) -> list[CopyLocation]:
    has_name = _key(root.name).startswith(_keys(card))
    return _matching(card, card.layouts if has_name else _unique_layouts(card), root, 0)


def _by_unique_probe(card: Card, root: Path) -> list[CopyLocation]:
    return _matching(card, _unique_layouts(card), root, MAX_DEPTH)


def _by_name_deeper(card: Card, root: Path) -> list[CopyLocation]:
    return [location for folder in _folders(root) for location in _by_name(card, folder)]


def _in_folders(card: Card, root: Path, accepts: Callable[[str], bool]) -> list[CopyLocation]:
    """Copies in the sub-folders whose names, as `_key` writes them, are accepted."""
    folders = [folder for folder in _folders(root) if accepts(_key(folder.name))]
    return [location for folder in folders for location in _matching(card, card.layouts, folder, MAX_DEPTH)]


def _keys(card: Card) -> tuple[str, ...]:
    return tuple(_key(name) for name in card.names)


def _key(name: str) -> str:
    """A folder's name without what downloads and people change: case, dashes, underscores and spaces.

    >>> _key("Head-CT_hemorrhage")
    'headcthemorrhage'
    """
    return re.sub(r"[-_ ]", "", name.casefold())


def _unique_layouts(card: Card) -> tuple[Layout, ...]:
    """The layouts of the card whose probes no other card has."""
    others = [other for other in all_cards() if other.name != card.name and not other.generated]
    taken = {probe for other in others for layout in other.layouts for probe in probe_paths(other, layout)}
    return tuple(layout for layout in card.layouts if not probe_paths(card, layout) & taken)


def _matching(card: Card, layouts: tuple[Layout, ...], top: Path, depth: int) -> list[CopyLocation]:
    """Every folder that has one of the layouts, on the highest level of `top` with such a folder."""
    level = [top]
    for _ in range(depth + 1):
        locations = [
            CopyLocation(folder, layout) for folder in level if (layout := detect_layout(card, layouts, folder))
        ]
        if locations:
            return locations
        level = [folder for parent in level for folder in _folders(parent)]
    return []


def _folders(root: Path) -> list[Path]:
    """The visible sub-folders, sorted; none if the folder cannot be listed."""
    try:
        folders = [path for path in root.iterdir() if os.path.isdir(path)]  # noqa: PTH112  (never raises)
    except OSError:
        return []
    return sorted(path for path in folders if not is_ignored(path.name))


def _distinct(locations: Iterable[CopyLocation]) -> list[CopyLocation]:
    return list({location.root.resolve(): location for location in locations}.values())


def _only(card: Card, locations: Sequence[CopyLocation]) -> CopyLocation:
    if len(locations) > 1:
        both = " and ".join(f"'{location.root}'" for location in locations[:2])
        raise DataError(f"{card.name}: two copies fit: {both}; point at one with {variable_of(card.name)}")
    return locations[0]


def _not_found(card: Card, folders: Sequence[Path]) -> DataError:
    """Make the error for a data set of which no copy is found."""
    where = ", ".join(f"'{folder}'{'' if folder.is_dir() else ' (no folder)'}" for folder in folders)
    below = f"below {where}" if where else "nowhere, as no data root is given"
    with_name = [str(sub) for folder in folders for sub in _folders(folder) if _key(sub.name) in _keys(card)]
    unlike = f"; '{with_name[0]}' has the name, {_mismatch(card)}" if with_name else ""
    about = f"; {card.obtain}" if card.obtain else ""
    looked = f"a folder named {', '.join(card.names)} (or starting so) with {_probe_text(card)}, {below}{unlike}"
    get = f"get it from {card.homepage} (licence: {card.licence}){about}"
    remedy = f"{get}; then pass --data-root, or set {VARIABLE} or {variable_of(card.name)}"
    return DataError(not_found(f"{card.name}: not found", looked, remedy))


def _mismatch(card: Card) -> str:
    return f"but holds none of: {_probe_text(card)}"


def _probe_text(card: Card) -> str:
    """The probes of all layouts, for messages."""
    texts = []
    for layout in card.layouts:
        paths = layout.probe
        if isinstance(layout, TableLayout) and layout.manifest not in paths:
            paths = (*paths, layout.manifest)
        texts.append(" and ".join(re.sub(r"\{(\w+)\}", r"<\1>", path) for path in paths))
    return " or ".join(texts)
