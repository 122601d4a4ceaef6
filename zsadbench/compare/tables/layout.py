"""Tables independent of the file format: numbers with marks, rows, captions and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Self

BEST, SECOND, APART = "best", "second", "apart"


@dataclass(frozen=True)
class Number:
    """One number of a table.

    Attributes:
        value: the number in the unit that is printed; None for no number.
        spread: its standard deviation in the same unit; None for none.
        mark: `best`, `second`, `apart` (not comparable) or empty.
        digits: decimals that are printed.
    """

    value: float | None = None
    spread: float | None = None
    mark: str = ""
    digits: int = 1

    @property
    def text(self) -> str:
        """The printed number; `-` for none."""
        return "-" if self.value is None else f"{self.value:.{self.digits}f}"

    @property
    def spread_text(self) -> str:
        """The printed standard deviation; empty for none."""
        return "" if self.spread is None or self.value is None else f"{self.spread:.{self.digits}f}"


class Judged(str):
    """The text of a cell with the verdict on its number, by which formats colour it.

    >>> Judged("92.1 → 92.4 (+0.3) agrees", "agrees").verdict
    'agrees'
    """

    __slots__ = ("verdict",)
    verdict: str

    def __new__(cls, text: str, verdict: str) -> Self:
        """`verdict` is `agrees`, `drifts`, `not comparable` or `not run`."""
        cell = super().__new__(cls, text)
        cell.verdict = verdict
        return cell


Cell = tuple[Number, ...] | str  # several numbers are printed in brackets, text unchanged


@dataclass(frozen=True)
class Row:
    """One row. `block` is the heading of its part of the table; `summary` marks a mean or rank over that part."""

    label: str
    cells: tuple[Cell, ...]
    block: str = ""
    summary: bool = False


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: its unique name, for files and references.
        caption: its caption.
        head: the heading of the first column, which holds the labels of the rows.
        columns: the headings of the other columns.
        rows: its rows, each with one cell per column.
        notes: the lines below it.
        cites: methods and data sets with the BibTeX keys of their papers.
    """

    key: str
    caption: str
    head: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    cites: tuple[tuple[str, str], ...] = ()


def panels(table: Table, most: int, tall: int) -> list[Table]:
    """Cut `table` into tables of at most `most` columns and `tall` rows; marks stay.

    Their keys and captions are numbered where there are several.
    """
    parts = [
        replace(table, columns=table.columns[part], rows=tuple(replace(row, cells=row.cells[part]) for row in rows))
        for rows in (table.rows[part] for part in _slices(len(table.rows), tall))
        for part in _slices(len(table.columns), most)
    ]
    if len(parts) == 1:
        return parts
    return [
        replace(part, key=f"{table.key}-{number}", caption=f"{table.caption} (part {number} of {len(parts)})")
        for number, part in enumerate(parts, start=1)
    ]


def _slices(length: int, most: int) -> list[slice]:
    """Slices that cover `length` items by at most `most` each, of equal width but for the last one."""
    count = max(1, -(-length // most))
    width = max(1, -(-length // count))
    return [slice(start, start + width) for start in range(0, max(length, 1), width)]


def blocks(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Group neighbouring rows of the same block: `(heading, rows)`."""
    return [(block, list(of_block)) for block, of_block in groupby(rows, key=lambda row: row.block)]
