"""The references of a table: the papers of its methods and of its data sets, as BibTeX.

The entry of a method is read from `zsadbench/published/references.toml` or, where that has none, made from the paper
named on the method's card; the entry of a data set is on its card. Methods and data sets without an entry, such as the
user's own images, are not cited.
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

UNPUBLISHED = "none"  # the venue of a control method, which has no paper
KEY = re.compile(r"@\w+\{([^,\s]+),")
Cites = tuple[tuple[str, str], ...]  # pairs of a method or data set, as the table names it, and its BibTeX key


def cites_of(board: Board, rows: pd.DataFrame) -> Cites:
    """Methods, then data sets, of `rows` of the board's frame as `(name, BibTeX key)`, each key once."""
    name_of_key: dict[str, str] = {}
    for method, entry, variant, source in _unique(rows, "method", "entry", "variant", "source"):
        name = entry.partition(" [")[0] if source == MEASURED or not variant else method
        name_of_key.setdefault(key_of(method_entry(method)), name)
    for (target,) in _unique(rows, "target"):
        name_of_key.setdefault(key_of(_set_entries().get(target, "")), board.dataset(target).title)
    return tuple((name, key) for key, name in name_of_key.items() if key)


def bibliography(board: Board) -> str:
    """The content of a `.bib` file: one entry per method, target and auxiliary set of the board, sorted by key."""
    frame = board.frame
    auxiliary = {record.cell["aux"]["name"] for _, record in board.records if record.cell["aux"]}
    entries = [method_entry(str(name)) for name in frame["method"].unique()]
    entries += [_set_entries().get(str(name), "") for name in [*frame["target"].unique(), *sorted(auxiliary)]]
    by_key = {key_of(entry): entry for entry in reversed(entries) if key_of(entry)}
    return "\n".join(f"{by_key[key]}\n" for key in sorted(by_key))


def key_of(entry: str) -> str:
    """The key of a BibTeX entry; empty for an empty entry."""
    match = KEY.match(entry)
    return match[1] if match else ""


@cache
def method_entry(method: str) -> str:
    """The BibTeX entry of a method's paper; empty where the paper is unknown."""
    known: str = _references().get(method, "")
    paper = None if known else paper_of(method)
    return known.strip() if paper is None or paper.venue == UNPUBLISHED else _entry_from_card(paper)


def paper_of(method: str) -> Paper | None:
    """The paper named on a method's card; None without a card."""
    try:
        return registry.method_card(method).paper
    except ZsadError:
        return None


def _entry_from_card(paper: Paper) -> str:
    """A BibTeX entry with the fields of a card; BibTeX sorts it by `key`, because a card names no authors."""
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
    return list(dict.fromkeys(zip(*(map(str, rows[column]) for column in columns), strict=True)))
