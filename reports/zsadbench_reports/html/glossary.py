"""The glossary of the page: every metric, mark, column, protocol, method and data set in a sentence or two."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from zsadbench.compare import Board
from zsadbench.compare.citations import own_papers
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.labels import entry_label, method_label, protocol_text


@cache
def _fixed() -> dict[str, dict[str, Any]]:
    """The content of `glossary.toml`: `metrics`, `marks` and `columns`."""
    return tomllib.loads(files("zsadbench_reports").joinpath("html/glossary.toml").read_text(encoding="utf-8"))


def marks() -> dict[str, str]:
    """Mark → how it looks."""
    return {term: mark["title"] for term, mark in _fixed()["marks"].items()}


class Entry(NamedTuple):
    """One entry: its id without the prefix `term-`, title, text, and links as (title, address)."""

    term: str
    title: str
    text: str
    links: tuple[tuple[str, str], ...] = ()


class Glossary(NamedTuple):
    """The entries by heading of their group, and the entry of every heading of a table and of every method."""

    groups: Mapping[str, Sequence[Entry]]
    of_heading: Mapping[str, str]
    of_method: Mapping[str, str]

    def term_of(self, heading: str) -> str:
        """The entry of a heading or, where it has none, of the metric or data set that it begins or ends with."""
        if heading in self.of_heading:
            return self.of_heading[heading]
        found = (
            term for title, term in self.of_heading.items() if title and re.search(rf"\b{re.escape(title)}\b", heading)
        )
        return next(found, "")


def glossary(board: Board, groups: Sequence[Mapping[str, Any]]) -> Glossary:
    """The glossary for the `groups` of the payload: what they mention, and all columns and marks."""
    fixed, columns = _fixed(), _fixed()["columns"]
    metrics = [Entry(name, HEADINGS.get(name, "AUPRO"), text) for name, text in fixed["metrics"].items()]
    protocols = dict.fromkeys(name for group in groups for row in group["rows"] for name in row["protocols"])
    frame = board.frame[["entry", "method"]].drop_duplicates()
    methods = dict(zip(frame["entry"].astype(str), frame["method"].astype(str), strict=True))
    methods |= {row["name"]: row["method"] for group in groups for row in group["rows"]}
    numbers = {method: f"method-{number}" for number, method in enumerate(dict.fromkeys(methods.values()))}
    targets = board.ordered([target for group in groups for target in group["targets"]])
    sets = {target: f"set-{number}" for number, target in enumerate(targets)}
    entries = {
        "Metrics": metrics,
        "Marks": [Entry(term, mark["title"], mark["text"]) for term, mark in fixed["marks"].items()],
        "Columns": [Entry(term, column["title"], column["text"]) for term, column in columns.items()],
        "Protocols": [
            Entry(f"protocol-{name}", name, protocol_text(name) or "The paper does not say how it evaluates.")
            for name in protocols
            if name
        ],
        "Methods": [_method(board, term, method) for method, term in numbers.items()],
        "Data sets": [_data_set(board, term, target) for target, term in sets.items()],
    }
    of_heading = {title: term for term, one in columns.items() for title in (one["title"], *one.get("also", ()))}
    of_heading |= {title: metric for metric, title in HEADINGS.items()} | {
        "measured": "measured",
        "published": "published",
    }
    of_heading |= {board.dataset(target).title: term for target, term in sets.items()}
    of_heading |= {name: numbers[method] for name, method in methods.items()}
    of_heading |= {entry_label(name, method, own_papers(board)): numbers[method] for name, method in methods.items()}
    return Glossary(entries, of_heading, numbers)


def _method(board: Board, term: str, method: str) -> Entry:
    label = method_label(method, own_papers(board))
    links = tuple((title, url) for title, url in (("paper", label.paper), ("code", label.code)) if url)
    return Entry(term, label.name, f"{label.venue}." if label.venue else "A method without a known paper.", links)


def _data_set(board: Board, term: str, target: str) -> Entry:
    found = board.dataset(target)
    return Entry(term, found.title, f"{found.domain}.", (("data set", found.homepage),) if found.homepage else ())
