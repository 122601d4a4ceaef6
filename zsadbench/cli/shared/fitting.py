"""Make a table as narrow as a terminal: fewer columns first, then text on several lines, then rows as columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import NamedTuple

# a number, with its spread or what it should be, with bounds, with a count, with the mark of numbers that are not
# comparable; or none
NUMERIC = re.compile(r"-|[-+\d.e]+( [±≠] [\d.]+)?( \[[\d., ]+\])?( \(\d+\))?†?")
GAP, EDGES = 3, 2  # characters between two columns, and at both sides of a table


class Columns(NamedTuple):
    """A part of a table: its headings and rows."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def is_number(self, column: int) -> bool:
        """Whether a column has numbers alone, which never break over lines."""
        return bool(self.rows) and all(NUMERIC.fullmatch(row[column]) for row in self.rows)

    def heading(self, column: int) -> str:
        """A heading on as many lines as the width of its column of numbers asks for."""
        if not self.is_number(column):
            return self.header[column]
        least = max(_longest_word(self.header[column]), *(_length(row[column]) for row in self.rows))
        return "\n".join(wrap(self.header[column], least)) or self.header[column]

    def fits(self, width: int) -> bool:
        """Whether all cells and headings fit into `width` characters on one line each."""
        return _total(self.widths()) <= width

    def of(self, columns: Sequence[int]) -> Columns:
        """The part with these columns alone."""
        return Columns([self.header[c] for c in columns], [[row[c] for c in columns] for row in self.rows])

    def widths(self) -> list[int]:
        """The widths of the columns with every cell and heading on one line."""
        return [max(map(_length, column)) for column in zip(self.header, *self.rows, strict=True)]

    def cell_widths(self) -> list[int]:
        """The widths of the columns with every cell on one line, and headings broken between words."""
        return [
            max([_longest_word(name), *(_length(row[column]) for row in self.rows)])
            for column, name in enumerate(self.header)
        ]

    def least_widths(self) -> list[int]:
        """The widths of the columns with text and headings broken between words, and numbers on one line."""
        return [
            max([_longest_word(name), *(_least(row[column], self.is_number(column)) for row in self.rows)])
            for column, name in enumerate(self.header)
        ]


def _length(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _longest_word(text: str) -> int:
    return max(map(_length, text.split()), default=0)


def _least(text: str, number: bool) -> int:
    return _length(text) if number else _longest_word(text)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1) + EDGES


def fit(table: Columns, width: int, optional: Sequence[str] = ()) -> tuple[list[Columns], list[str]]:
    """Fit a table into `width` characters.

    Args:
        table: the whole table; its first column names the rows.
        width: characters per line.
        optional: headings of columns that may be left out, the first to go last in the list.

    Returns:
        The parts to print one below the other, usually one; and the headings of the columns that were left out. Where
        no choice of columns fits, rows become columns, cut into as many parts as it takes, and nothing is left out.
    """
    if table.fits(width):
        return [table], []
    shown, gone = list(range(len(table.header))), list(optional)
    left_out: list[str] = []
    while _total(table.of(shown).cell_widths()) > width and gone:
        name = gone.pop()
        if name in table.header:
            shown.remove(table.header.index(name))
            left_out.insert(0, name)
    if _total(table.of(shown).least_widths()) <= width:
        return [table.of(shown)], left_out
    return _turned(table, width), []


def _turned(table: Columns, width: int) -> list[Columns]:
    """The table with rows as columns, as many per part as fit; one row where even that is too wide."""
    names, *columns = ([name, *column] for name, *column in zip(*table.rows, strict=True)) if table.rows else ([],)
    header, rows = [table.header[0], *names], [[name, *c] for name, c in zip(table.header[1:], columns, strict=True)]
    turned = Columns(header, rows)
    starts, used = [1], 0
    first, *rest = turned.least_widths()
    for number, own in enumerate(rest, start=1):
        if number > starts[-1] and first + used + own + GAP * (number - starts[-1] + 1) + EDGES > width:
            starts.append(number)
            used = 0
        used += own
    return [turned.of([0, *range(start, end)]) for start, end in pairwise([*starts, len(header)])]
