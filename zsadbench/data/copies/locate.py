"""Where a data set lies: the search below the data roots.

Under each root, first hit: a sub-folder with the set's name, an alias or a folder name of the card, without
regard to case; a sub-folder whose name starts with one of these; the root itself, then what lies in it, when
a probe fits that no other card shares; last, a folder with one of the names one level further down, as bundles of
several sets have it. In a folder that is found the probe may fit up to two levels down.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import FilesLayout, Layout
from zsadbench.data.catalogue import all_cards
from zsadbench.data.copies.generated import drawn_copy
from zsadbench.data.layouts.file_tree import passed_over
from zsadbench.data.layouts.read import fitting, probes
from zsadbench.errors import DataError

VARIABLE = "ZSADBENCH_DATA"
DEPTH = 2  # levels that a probe may lie below the folder that bears the name


class Place(NamedTuple):
    """A copy: its root, and how it is arranged."""

    root: Path
    layout: Layout


def roots_from_environment() -> tuple[Path, ...]:
    """The data roots in ZSADBENCH_DATA, separated as in PATH."""
    return tuple(Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text)


def find_copy(card: Card, roots: Sequence[str | Path] | None = None) -> Place:
    """Find the copy of a set below `roots`.

    Without roots, ZSADBENCH_DATA_<NAME>, which points at the set itself, comes first, then the roots in
    ZSADBENCH_DATA. A set that is drawn lies in the cache, whatever the roots hold.

    Raises:
        DataError: nothing fits, or two folders do.
    """
    if not roots or card.generated:
        pointed = _pointed(card)
        if pointed is not None:
            return pointed
    if card.generated:
        return Place(drawn_copy(card), card.layouts[0])
    folders = [Path(root).expanduser().absolute() for root in roots or roots_from_environment()]
    for folder in folders:
        for stage in (_named, _prefixed, _itself, _inside, _named_deeper):
            places = _distinct(stage(card, folder))
            if places:
                return _only(card, places)
    raise _nothing(card, folders)


def variable(name: str) -> str:
    """The environment variable that points at one set.

    >>> variable("mvtec")
    'ZSADBENCH_DATA_MVTEC'
    """
    return f"{VARIABLE}_{re.sub('[^A-Z0-9]', '_', name.upper())}"


def _pointed(card: Card) -> Place | None:
    for name in map(variable, (card.name, *card.aliases)):
        text = os.environ.get(name)
        if text:
            places = _fits(card, card.layouts, Path(text).expanduser().absolute(), DEPTH)
            if not places:
                raise DataError(f"{card.name}: {name} points at '{text}', {_unlike(card)}")
            return _only(card, places)
    return None


def _named(card: Card, root: Path) -> list[Place]:
    return _below(card, root, lambda name: name in _own(card))


def _prefixed(card: Card, root: Path) -> list[Place]:
    return _below(card, root, lambda name: name not in _own(card) and name.startswith(_own(card)))


def _itself(card: Card, root: Path) -> list[Place]:
    named = root.name.casefold() in _own(card)
    return _fits(card, card.layouts if named else _unshared(card), root, 0)


def _inside(card: Card, root: Path) -> list[Place]:
    return _fits(card, _unshared(card), root, DEPTH)


def _named_deeper(card: Card, root: Path) -> list[Place]:
    return [place for folder in _folders(root) for place in _named(card, folder)]


def _below(card: Card, root: Path, right: Callable[[str], bool]) -> list[Place]:
    folders = [folder for folder in _folders(root) if right(folder.name.casefold())]
    return [place for folder in folders for place in _fits(card, card.layouts, folder, DEPTH)]


def _own(card: Card) -> tuple[str, ...]:
    return tuple(name.casefold() for name in card.names)


def _unshared(card: Card) -> tuple[Layout, ...]:
    others = [other for other in all_cards() if other.name != card.name]
    taken = {probe for other in others for layout in other.layouts for probe in probes(other, layout)}
    return tuple(layout for layout in card.layouts if not probes(card, layout) & taken)


def _fits(card: Card, layouts: tuple[Layout, ...], top: Path, depth: int) -> list[Place]:
    """Every folder in which a layout fits, on the highest level where one does."""
    level = [top]
    for _ in range(depth + 1):
        places = [Place(folder, layout) for folder in level if (layout := fitting(card, layouts, folder))]
        if places:
            return places
        level = [folder for parent in level for folder in _folders(parent)]
    return []


def _folders(root: Path) -> list[Path]:
    try:
        folders = [path for path in root.iterdir() if os.path.isdir(path)]  # noqa: PTH112  (never raises)
    except OSError:
        return []
    return sorted(path for path in folders if not passed_over(path.name))


def _distinct(places: Iterable[Place]) -> list[Place]:
    return list({place.root.resolve(): place for place in places}.values())


def _only(card: Card, places: Sequence[Place]) -> Place:
    if len(places) > 1:
        both = " and ".join(f"'{place.root}'" for place in places[:2])
        raise DataError(f"{card.name}: two copies fit: {both}; point at one with {variable(card.name)}")
    return places[0]


def _nothing(card: Card, folders: Sequence[Path]) -> DataError:
    where = ", ".join(f"'{folder}'{'' if folder.is_dir() else ' (no folder)'}" for folder in folders)
    searched = f"not found below {where}" if where else "no data root is given"
    unfit = [str(sub) for folder in folders for sub in _folders(folder) if sub.name.casefold() in _own(card)]
    seen = f"; '{unfit[0]}' has the name, {_unlike(card)}" if unfit else ""
    about = f"; {card.obtain}" if card.obtain else ""
    return DataError(
        f"{card.name}: {searched}; looked for a folder named {', '.join(card.names)} (or starting so) "
        f"with {_wants(card)}{seen}; get it from {card.homepage} (licence: {card.licence}){about}; "
        f"then pass --data-root, or set {VARIABLE} or {variable(card.name)}"
    )


def _unlike(card: Card) -> str:
    return f"but holds none of: {_wants(card)}"


def _wants(card: Card) -> str:
    return " or ".join(" and ".join(_readable(layout)) for layout in card.layouts)


def _readable(layout: Layout) -> tuple[str, ...]:
    table = () if isinstance(layout, FilesLayout) or layout.manifest in layout.probe else (layout.manifest,)
    return tuple(probe.replace("{class}", "<class>") for probe in (*layout.probe, *table))
