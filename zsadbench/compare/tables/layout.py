"""A table before it becomes a file: what stands in which cell, marked how, and the notes below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

BEST, SECOND, APART = "best", "second", "apart"


@dataclass(frozen=True)
class Number:
    """One number in the unit that is printed. `mark`: `best`, `second`, `apart` (not comparable) or empty."""

    value: float | None = None
    spread: float | None = None
    mark: str = ""
    digits: int = 1

    @property
    def text(self) -> str:
        """The number as it is printed; `-` where there is none."""
        return "-" if self.value is None else f"{self.value:.{self.digits}f}"

    @property
    def spread_text(self) -> str:
        """The standard deviation as it is printed; empty where there is none."""
        return "" if self.spread is None or self.value is None else f"{self.spread:.{self.digits}f}"


Cell = tuple[Number, ...] | str  # several numbers are printed in brackets, words as they are


@dataclass(frozen=True)
class Row:
    """One line; `block` names the part of the table in which it stands, `summary` that it sums up that part."""

    label: str
    cells: tuple[Cell, ...]
    block: str = ""
    summary: bool = False


@dataclass(frozen=True)
class Table:
    """`head` labels the first column, `columns` the others. `key` is a name for files and references.

    `cites` are methods and data sets with the BibTeX keys of their papers.
    """

    key: str
    caption: str
    head: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    cites: tuple[tuple[str, str], ...] = ()


def panels(table: Table, most: int, tall: int) -> list[Table]:
    """`table` cut into tables of at most `most` columns and `tall` rows, each of which fits on a page; marks stay."""
    parts = [
        replace(table, columns=table.columns[part], rows=tuple(replace(row, cells=row.cells[part]) for row in rows))
        for rows in _cut(table.rows, tall)
        for part in _slices(len(table.columns), most)
    ]
    if len(parts) == 1:
        return parts
    return [
        replace(part, key=f"{table.key}-{number}", caption=f"{table.caption} (part {number} of {len(parts)})")
        for number, part in enumerate(parts, start=1)
    ]


def _cut(rows: Sequence[Row], tall: int) -> list[Sequence[Row]]:
    return [rows[part] for part in _slices(len(rows), tall)]


def _slices(length: int, most: int) -> list[slice]:
    """Slices of equal width, the last one apart, that cover `length` things by at most `most` each."""
    count = max(1, -(-length // most))
    width = max(1, -(-length // count))
    return [slice(start, start + width) for start in range(0, max(length, 1), width)]


def blocks(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Neighbouring rows of one block together."""
    found: list[tuple[str, list[Row]]] = []
    for row in rows:
        if not found or found[-1][0] != row.block:
            found.append((row.block, []))
        found[-1][1].append(row)
    return found
