"""Tables independent of the file format: numbers with marks, rows, captions and notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Self

BEST, SECOND, APART = "best", "second", "apart"
TICK = "✓"


@dataclass(frozen=True)
class Number:
    """One number of a table.

    Attributes:
        value: the number in the unit that is printed; None for no number.
        spread: its standard deviation in the same unit; None for none.
        mark: `best`, `second`, `apart` (not comparable) or empty.
        digits: decimals that are printed.
        remark: what is said of it in its cell, such as `3 of 15 classes`; or empty.
    """

    value: float | None = None
    spread: float | None = None
    mark: str = ""
    digits: int = 1
    remark: str = ""

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


class Difference(str):
    """The text of a cell with the difference of two numbers and the interval of it, for formats that print numbers.

    >>> Difference.of(1.24, -0.3, 2.5), Difference.of(1.24, None, None).low
    ('+1.2 [-0.3, +2.5]', None)
    """

    __slots__ = ("high", "low", "points")
    points: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, points: float, low: float | None, high: float | None, digits: int = 1) -> Self:
        """`low` and `high` are the ends of the interval, None without one; all in points, printed with `digits`."""
        ends = "" if low is None or high is None else f" [{low:+.{digits}f}, {high:+.{digits}f}]"
        cell = cls(f"{points:+.{digits}f}{ends}")
        cell.points, cell.low, cell.high = points, low, high
        return cell


Cell = tuple[Number, ...] | str  # several numbers are printed in brackets, text unchanged


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        label: its label in the first column.
        cells: one cell per column of the table.
        block: the heading of its part of the table.
        summary: whether it is a mean or a rank over that part.
        ticks: for each switch of the table whether the row has it, or its value as text; these are printed in place of
            the label.
    """

    label: str
    cells: tuple[Cell, ...]
    block: str = ""
    summary: bool = False
    ticks: tuple[bool | str, ...] = ()


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
        over: per column the heading above its own, which it shares with neighbours of the same; empty for none.
        venues: per column venue and year of its method, and the BibTeX key or an empty text; empty for none.
        switches: the names of the ticks of the rows; empty for none.
    """

    key: str
    caption: str
    head: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    cites: tuple[tuple[str, str], ...] = ()
    over: tuple[str, ...] = ()
    venues: tuple[tuple[str, str], ...] = ()
    switches: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[Number]:
        """All numbers of its cells."""
        return [number for row in self.rows for cell in row.cells if not isinstance(cell, str) for number in cell]

    @property
    def names(self) -> list[str]:
        """The headings of its first columns: those of its switches, or of its labels."""
        return list(self.switches) or [self.head]

    def names_of(self, row: Row) -> list[str]:
        """The texts of the first columns of a row: its ticks or values, or its label."""
        ticks = [tick if isinstance(tick, str) else TICK if tick else "" for tick in row.ticks]
        return ticks if self.switches else [row.label]

    @property
    def spans(self) -> list[tuple[str, int]]:
        """The headings above those of the columns with the number of columns of each."""
        return [(text, len(list(same))) for text, same in groupby(self.over)]


def over_levels(metrics: Sequence[str]) -> tuple[str, ...]:
    """The headings above metrics: pixel level or image level.

    >>> over_levels(["pixel_auroc", "image_ap"])
    ('pixel level', 'image level')
    """
    return tuple(f"{metric.partition('_')[0]} level" for metric in metrics)


def without_spreads(table: Table) -> list[Table]:
    """The table without standard deviations, and a second one that has these in place of its numbers."""

    def of_cells(change: Callable[[Number], Number]) -> tuple[Row, ...]:
        return tuple(
            replace(row, cells=tuple(cell if isinstance(cell, str) else tuple(map(change, cell)) for cell in row.cells))
            for row in table.rows
        )

    of_spreads = tuple(note for note in table.notes if note.startswith("±"))
    others = tuple(note for note in table.notes if note not in of_spreads)
    plain = replace(table, rows=of_cells(lambda number: replace(number, spread=None)), notes=others)
    spreads = of_cells(lambda number: Number(number.spread, digits=number.digits))
    kept = tuple(row for row in spreads if not row.summary)
    caption = f"Standard deviations over seeds. {table.caption}"
    key = f"{table.key}-spreads"
    second = replace(table, key=key, caption=caption, rows=kept, notes=of_spreads, cites=())
    return [plain, _columns(second, [place for place in range(len(table.columns)) if _has_number(kept, place)])]


def _has_number(rows: Sequence[Row], place: int) -> bool:
    cells = [row.cells[place] for row in rows]
    return any(number.value is not None for cell in cells if not isinstance(cell, str) for number in cell)


def _columns(table: Table, places: Sequence[int]) -> Table:
    """The table with some of its columns."""
    return replace(
        table,
        columns=tuple(table.columns[place] for place in places),
        over=tuple(table.over[place] for place in places if table.over),
        venues=tuple(table.venues[place] for place in places if table.venues),
        rows=tuple(replace(row, cells=tuple(row.cells[place] for place in places)) for row in table.rows),
    )


def panels(table: Table, most: int, tall: int) -> list[Table]:
    """Cut `table` into tables of at most `most` columns and `tall` rows; marks stay.

    Their keys and captions are numbered where there are several.
    """
    places = range(len(table.columns))
    parts = [
        _columns(replace(table, rows=rows), places[part])
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
