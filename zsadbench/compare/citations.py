"""The references of a table: the papers of its methods and of its data sets, as BibTeX.

The entry of a method is generated from the verified reference that `zsadbench/published/methods.toml` names or, for a
method without one, from the paper on its card. A data set's card names keys of verified references, or holds BibTeX of
its own. Methods and data sets without an entry, such as the user's own images, are not cited.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.compare.frame import MEASURED
from zsadbench.data import all_cards
from zsadbench.errors import ZsadError
from zsadbench.references import Reference, references

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.compare.board import Board
    from zsadbench.types import Paper

UNPUBLISHED = "none"  # the venue of a control method, which has no paper
KEY = re.compile(r"@\w+\{([^,\s]+),")
NEXT_ENTRY = re.compile(r"^(?=@)", re.MULTILINE)
Cites = tuple[tuple[str, str], ...]  # pairs of a method or data set, as the table names it, and its BibTeX key


def cites_of(board: Board, rows: pd.DataFrame) -> Cites:
    """Methods, then data sets, of `rows` of the board's frame as `(name, BibTeX key)`, each key once."""
    name_of_key: dict[str, str] = {}
    for method, entry, variant, source in _unique(rows, "method", "entry", "variant", "source"):
        name = entry.partition(" [")[0] if source == MEASURED or not variant else method
        name_of_key.setdefault(key_of(method_entry(method)), name)
    for (target,) in _unique(rows, "target"):
        for entry in set_entries(board.set_of(target)):
            name_of_key.setdefault(key_of(entry), board.dataset(target).title)
    return tuple((name, key) for key, name in name_of_key.items() if key)


def venues_of(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Per entry of `rows`, in their order: venue and year of its method's paper, and the BibTeX key of this paper.

    Both are empty where the paper is unknown.
    """
    method_of = dict(zip(rows["entry"].astype(str), rows["method"].astype(str), strict=True))
    return tuple((venue_of(method), key_of(method_entry(method))) for method in method_of.values())


@cache
def venue_of(method: str) -> str:
    """Venue and year of a method's paper as tables print them, such as `CVPR 2026`; empty where it is unknown."""
    known = reference_of(method)
    if known is not None:
        return f"{known.short_venue} {known.year}"
    paper = paper_of(method)
    return "" if paper is None or paper.venue == UNPUBLISHED else " ".join(f"{paper.venue} {paper.year or ''}".split())


def bibliography(board: Board) -> str:
    """The content of a `.bib` file: one entry per method, target and auxiliary set, sorted by key.

    It has those of the whole board, also where a selection leaves rows out.
    """
    board = board.whole or board
    frame = board.frame
    auxiliary = {record.cell["aux"]["name"] for _, record in board.records if record.cell["aux"]}
    targets = [board.set_of(str(target)) for target in frame["target"].unique()]
    entries = [method_entry(str(name)) for name in frame["method"].unique()]
    entries += [entry for name in [*targets, *sorted(auxiliary)] for entry in set_entries(name)]
    by_key = {key_of(entry): entry for entry in reversed(entries) if key_of(entry)}
    return "\n".join(f"{by_key[key]}\n" for key in sorted(by_key))


def key_of(entry: str) -> str:
    """The key of a BibTeX entry; empty for an empty entry."""
    match = KEY.match(entry)
    return match[1] if match else ""


@cache
def method_entry(method: str) -> str:
    """The BibTeX entry of a method's paper; empty where the paper is unknown."""
    known = reference_of(method)
    if known is not None:
        return known.bibtex
    paper = paper_of(method)
    return "" if paper is None or paper.venue == UNPUBLISHED else _entry_from_card(paper)


def reference_of(method: str) -> Reference | None:
    """The verified reference of a method's paper; None where there is none."""
    return references().get(_method_keys().get(method, ""))


@cache
def set_entries(name: str) -> tuple[str, ...]:
    """The BibTeX entries of a data set, in the order of its card; none for a set without a card."""
    card = next((card for card in all_cards() if card.name == name), None)
    if card is None:
        return ()
    own = [entry.strip() for entry in NEXT_ENTRY.split(card.bibtex) if entry.strip()]
    written = {key_of(entry) for entry in own}
    return (*own, *(references()[key].bibtex for key in card.cite if key in references() and key not in written))


def paper_of(method: str) -> Paper | None:
    """The paper named on a method's card; None without a card."""
    try:
        return registry.method_card(method).paper
    except ZsadError:
        return None


def _entry_from_card(paper: Paper) -> str:
    """A BibTeX entry with the fields of a card; BibTeX sorts it by `key` where the card names no authors."""
    author = " and ".join(paper.authors)
    fields = {"key": "" if author else paper.key, "title": f"{{{paper.title}}}", "author": author}
    fields |= {"howpublished": paper.venue, "year": str(paper.year), "url": paper.url or paper.code}
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{paper.key},\n" + ",\n".join(lines) + "\n}"


@cache
def _method_keys() -> dict[str, str]:
    return tomllib.loads(files("zsadbench").joinpath("published/methods.toml").read_text(encoding="utf-8"))


def _unique(rows: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(zip(*(map(str, rows[column]) for column in columns), strict=True)))
