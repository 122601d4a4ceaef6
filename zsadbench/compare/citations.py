"""The references of a table: the papers of its methods and of its data sets, as BibTeX.

The entry of a method is generated from the verified reference that `zsadbench/published/methods.toml` names or, for a
method without one, from the paper on its card; else from the paper that a board knows of it (`own_papers`). A data
set's card names keys of verified references, or holds BibTeX of its own. Methods and data sets without
an entry, such as the user's own images, are not cited.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.compare.frame import MEASURED
from zsadbench.data import all_cards
from zsadbench.errors import ZsadError
from zsadbench.references import Reference, latex_text, references

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from zsadbench.compare.board import Board
    from zsadbench.types import Paper

NO_PAPERS: Mapping[str, Paper] = MappingProxyType({})
UNPUBLISHED = "none"  # the venue of a control method, which has no paper
KEY = re.compile(r"@\w+\{([^,\s]+),")
NEXT_ENTRY = re.compile(r"^(?=@)", re.MULTILINE)
Cites = tuple[tuple[str, str], ...]  # pairs of a method or data set, as the table names it, and its BibTeX key


def cites_of(board: Board, rows: pd.DataFrame) -> Cites:
    """Methods, then data sets, of `rows` of the board's frame as `(name, BibTeX key)`, each key once."""
    name_of_key: dict[str, str] = {}
    for method, entry, variant, source in _unique(rows, "method", "entry", "variant", "source"):
        name = entry.partition(" [")[0] if source == MEASURED or not variant else method
        name_of_key.setdefault(key_of(method_entry(method, own_papers(board))), name)
    for (source,) in _unique(rows, "source"):
        if (known := board.papers.get(source)) is not None and known.own:
            name_of_key.setdefault(known.own.key, known.label)
    for (target,) in _unique(rows, "target"):
        for entry in set_entries(board.set_of(target)):
            name_of_key.setdefault(key_of(entry), board.dataset(target).title)
    return tuple((name, key) for key, name in name_of_key.items() if key)


def own_papers(board: Board) -> Mapping[str, Paper]:
    """Papers by method, for methods of which neither a verified reference nor a card has one.

    These are the papers that records state (of a method that is not shipped, or declared for saved maps), then those of
    published numbers that a paper prints of its own method (`computed_by` is `original`).
    """
    return (board.whole or board).own_papers


def venues_of(board: Board, rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Per entry of `rows`, in their order: venue and year of its method's paper, and the BibTeX key of this paper.

    Both are empty where the paper is unknown.
    """
    method_of = dict(zip(rows["entry"].astype(str), rows["method"].astype(str), strict=True))
    own = own_papers(board)
    return tuple((venue_of(method, own), key_of(method_entry(method, own))) for method in method_of.values())


def venue_of(method: str, own: Mapping[str, Paper] = NO_PAPERS) -> str:
    """Venue and year of a method's paper as tables print them, such as `CVPR 2026`; empty where it is unknown."""
    known = reference_of(method)
    if known is not None:
        return f"{known.short_venue} {known.year}"
    paper = paper_of(method, own)
    return "" if paper is None or paper.venue == UNPUBLISHED else " ".join(f"{paper.venue} {paper.year or ''}".split())


def bibliography(board: Board) -> str:
    """The content of a `.bib` file: one entry per method, target, auxiliary set and own paper, sorted by key.

    It has those of the whole board, also where a selection leaves rows out.
    """
    board = board.whole or board
    frame = board.frame
    named = [record.cell["aux"]["name"] for _, record in board.records if record.cell["aux"]]
    auxiliary = {name for names in named for name in names.split(", ")}  # several of maps of another program
    targets = [board.set_of(str(target)) for target in frame["target"].unique()]
    entries = [method_entry(str(name), board.own_papers) for name in frame["method"].unique()]
    entries += [entry_of(paper.own) for paper in board.papers.values() if paper.own]
    entries += [entry for name in [*targets, *sorted(auxiliary)] for entry in set_entries(name)]
    by_key = {key_of(entry): entry for entry in reversed(entries) if key_of(entry)}
    return "\n".join(f"{by_key[key]}\n" for key in sorted(by_key))


def key_of(entry: str) -> str:
    """The key of a BibTeX entry; empty for an empty entry."""
    match = KEY.match(entry)
    return match[1] if match else ""


def method_entry(method: str, own: Mapping[str, Paper] = NO_PAPERS) -> str:
    """The BibTeX entry of a method's paper; empty where the paper is unknown."""
    known = reference_of(method)
    if known is not None:
        return known.bibtex
    paper = paper_of(method, own)
    return "" if paper is None or paper.venue == UNPUBLISHED else entry_of(paper)


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


def paper_of(method: str, own: Mapping[str, Paper] = NO_PAPERS) -> Paper | None:
    """The paper named on a method's card, else that of `own_papers`; None where neither has one."""
    try:
        return registry.method_card(method).paper
    except ZsadError:
        return own.get(method)


def entry_of(paper: Paper) -> str:
    """The BibTeX entry of a paper: its own, else one of its fields, which BibTeX sorts by `key` without authors."""
    if paper.bibtex:
        return paper.bibtex.strip()
    author = " and ".join(map(latex_text, paper.authors))
    fields = {"key": "" if author else paper.key, "title": f"{{{latex_text(paper.title)}}}", "author": author}
    year = str(paper.year or "")
    fields |= {"howpublished": latex_text(paper.venue), "year": year, "url": paper.url or paper.code}
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{paper.key},\n" + ",\n".join(lines) + "\n}"


@cache
def _method_keys() -> dict[str, str]:
    return tomllib.loads(files("zsadbench").joinpath("published/methods.toml").read_text(encoding="utf-8"))


def _unique(rows: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(zip(*(map(str, rows[column]) for column in columns), strict=True)))
