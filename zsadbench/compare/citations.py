"""What a table cites: the papers of its methods and of its data sets, as BibTeX.

A method's entry stands in `zsadbench/published/references.toml`, or is made of what its card says of the paper; a
data set's stands on its card. What nobody describes, such as one's own images, is not cited.
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

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.compare.board import Board
    from zsadbench.types import Paper

UNPUBLISHED = "none"  # the venue of a control
KEY = re.compile(r"@\w+\{([^,\s]+),")
Cites = tuple[tuple[str, str], ...]  # what is cited, as the table names it, and its key


def cites_of(board: Board, rows: pd.DataFrame) -> Cites:
    """Methods, then data sets, of `rows` of the board's frame: `(name, BibTeX key)`, each key once."""
    found: dict[str, str] = {}
    for method, entry, variant, source in _unique(rows, "method", "entry", "variant", "source"):
        name = entry.partition(" [")[0] if source == MEASURED or not variant else method
        found.setdefault(key_of(method_entry(method)), name)
    for (target,) in _unique(rows, "target"):
        found.setdefault(key_of(_set_entries().get(target, "")), board.dataset(target).title)
    return tuple((name, key) for key, name in found.items() if key)


def bibliography(board: Board) -> str:
    """One entry for everything that the board has, auxiliary sets included, by key; a `.bib` file."""
    frame = board.frame
    learned = {record.cell["aux"]["name"] for _, record in board.records if record.cell["aux"]}
    entries = [method_entry(str(name)) for name in frame["method"].unique()]
    entries += [_set_entries().get(str(name), "") for name in [*frame["target"].unique(), *sorted(learned)]]
    by_key = {key_of(entry): entry for entry in reversed(entries) if key_of(entry)}
    return "\n".join(f"{by_key[key]}\n" for key in sorted(by_key))


def key_of(entry: str) -> str:
    """The key of a BibTeX entry; empty where there is none."""
    found = KEY.match(entry)
    return found[1] if found else ""


@cache
def method_entry(method: str) -> str:
    """The BibTeX entry of a method's paper; empty where nobody knows it."""
    known: str = _references().get(method, "")
    paper = None if known else paper_of(method)
    return known.strip() if paper is None or paper.venue == UNPUBLISHED else _made_of(paper)


def paper_of(method: str) -> Paper | None:
    """What a method's card says of its paper; None without a card."""
    try:
        return registry.method_card(method).paper
    except ZsadError:
        return None


def _made_of(paper: Paper) -> str:
    """An entry of what a card says; `key` serves sorting, where authors are not told."""
    fields = {"key": paper.key, "title": f"{{{paper.title}}}", "howpublished": paper.venue, "year": str(paper.year)}
    fields |= {"url": paper.url or paper.code}
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{paper.key},\n" + ",\n".join(lines) + "\n}"


@cache
def _references() -> dict[str, str]:
    return tomllib.loads(files("zsadbench").joinpath("published/references.toml").read_text(encoding="utf-8"))


@cache
def _set_entries() -> dict[str, str]:
    return {card.name: card.bibtex.strip() for card in all_cards()}


def _unique(rows: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    listed = zip(*(map(str, rows[column]) for column in columns), strict=True)
    return list(dict.fromkeys(listed))
