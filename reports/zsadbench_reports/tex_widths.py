"""How wide the columns of a table are in LaTeX, which font size and which part of a page it needs.

Widths are estimates with the letters of Computer Modern, which are wider than those of Times. Fonts are in points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from zsadbench.compare import Cell, Number, Table, panels

TEXT, COLUMN = 496.0, 234.0  # widths of a page of two columns and of one of them, in points
WIDE_DIGIT = {7.0: 0.57, 6.0: 0.61, 5.0: 0.68}  # font size → width of a digit in em
GAPS = {7.0: 4.0, 6.0: 3.0, 5.0: 3.0}  # font size → distance between two columns
RELATIVE = {"()[] ": 0.8, ".,:;'|!il": 0.57, "mw±": 1.6, "0123456789-": 1.0}  # widths relative to a digit
CAPITAL, LETTER = 1.5, 1.05  # of other letters
LABEL, SENTENCE, SENTENCES = 9.0, 30, 18.0  # em of a label; characters of a sentence and em of a column of such
BOLD = 1.17
DAGGER = 0.85  # em
TINY, CITED = 5.0, " [99]"  # font size of spreads and venues; a citation
TALL, FEWEST, LINE = 66, 5, 115  # lines of 8 points on a page, least rows of a cut table, characters of a note


class Layout(NamedTuple):
    """How a table, or a part of it, is set.

    Attributes:
        table: the table.
        font: font size in points.
        gap: distance between two columns in points.
        shares: the widths of all columns, relative to their mean.
        narrow: whether it is set in one column of a page of two columns.
    """

    table: Table
    font: float
    gap: float
    shares: Sequence[float]
    narrow: bool

    @property
    def width(self) -> float:
        """The width of the table in points."""
        return COLUMN if self.narrow else TEXT

    def fraction(self, start: int, count: int) -> float:
        """The share of the line that `count` columns from `start` on take, with the gaps between them."""
        room = 1 - self.gap * (len(self.shares) - 1) / self.width
        return room * sum(self.shares[start : start + count]) / len(self.shares) + self.gap * (count - 1) / self.width


def layouts(table: Table, *, narrow: bool = False) -> list[Layout]:
    """The table in the largest font in which it fits, cut into parts where it fits in none.

    With `narrow` it is set in one column of the page if it fits there.
    """
    for width in (COLUMN, TEXT) if narrow else (TEXT,):
        font = next((font for font in GAPS if _needed(table, font) <= width), None)
        if font is not None:
            return [_layout(part, font, width) for part in panels(table, len(table.columns), _rows(table, font, width))]
    font = next(iter(GAPS))
    most = _most_columns(table, font)
    first = panels(table, most, max(1, len(table.rows)))[0]
    return [_layout(part, font, TEXT) for part in panels(table, most, _rows(first, font, TEXT))]


def fits(table: Table) -> bool:
    """Whether the table fits across a page without a cut, in the largest font."""
    return _needed(table, next(iter(GAPS))) <= TEXT


def _layout(table: Table, font: float, width: float) -> Layout:
    needs = _needs(table, font)
    if not table.switches:  # labels get what is left, as far as they are longer
        longest = max((em(row.label, font) for row in table.rows if len(row.label) <= SENTENCE), default=0.0)
        needs[0] += min(max(0.0, longest - needs[0]), max(0.0, width - _needed(table, font)) / font)
    total = sum(needs) or 1.0
    return Layout(table, font, GAPS[font], [need * len(needs) / total for need in needs], width == COLUMN)


def _needed(table: Table, font: float) -> float:
    needs = _needs(table, font)
    return sum(needs) * font + GAPS[font] * (len(needs) - 1)


def _most_columns(table: Table, font: float) -> int:
    """How many columns fit across a page, if all need as much as the widest one."""
    needs = _needs(table, font)
    first = len(table.names)
    room = TEXT - sum(needs[:first]) * font - GAPS[font] * (first - 1)
    return max(1, int(room / (max(needs[first:], default=1.0) * font + GAPS[font])))


def _needs(table: Table, font: float) -> list[float]:
    """The width in em that each column needs: the labels or switches, then the columns."""
    first = [
        _words_need([table.names_of(row)[place] for row in table.rows], name, font)
        for place, name in enumerate(table.names)
    ]
    columns = zip(*(row.cells for row in table.rows), strict=True) if table.rows else ([] for _ in table.columns)
    venues = table.venues or tuple(("", "") for _ in table.columns)
    return [
        *first,
        *(
            max(_need(cells, font), _longest_word(name, font), _venue_need(venue, key, font))
            for cells, name, (venue, key) in zip(columns, table.columns, venues, strict=True)
        ),
    ]


def _need(cells: Sequence[Cell], font: float) -> float:
    """The width of the widest of the cells; of sentences that of a column in which they are broken."""
    words = [cell for cell in cells if isinstance(cell, str)]
    numbers = [_cell_width(cell, font) for cell in cells if not isinstance(cell, str)]
    return max([*numbers, _words_need(words, "", font) if words else 0.0], default=0.0)


def _words_need(texts: Sequence[str], heading: str, font: float) -> float:
    longest = max(map(len, texts), default=0)
    if longest > SENTENCE:
        return SENTENCES
    most = max([em(text, font) for text in texts], default=0.0)
    return max(min(most, LABEL), *(_longest_word(text, font) for text in (heading, *texts)))


def _longest_word(text: str, font: float) -> float:
    """The width of the longest part that no line ends in; the sign after which one may end belongs to the part."""
    return max((em(word, font) for word in re.findall(r"[^\s\-_/=:+|]*[\-_/=:+|]?", text)), default=0.0)


def _venue_need(venue: str, key: str, font: float) -> float:
    """The width of the longest word of a venue, which is set in 5 points; a citation sticks to the last word."""
    *words, last = venue.split(" ")
    return max(em(word, TINY) for word in (*words, last + CITED * bool(key))) * TINY / font


def _cell_width(cell: Sequence[Number], font: float) -> float:
    shown = [_number_width(number, font) for number in cell]
    brackets = em("()", font) + (len(shown) - 1) * em(", ", font) if len(shown) > 1 else 0.0
    return brackets + sum(shown)


def _number_width(number: Number, font: float) -> float:
    width = em(number.text, font) * (BOLD if number.mark == "best" else 1.0)
    spread = em("±" + number.spread_text, TINY) * TINY / font + 0.3 if number.spread_text else 0.0
    return width + spread + (DAGGER if number.mark == "apart" else 0.0)


def em(text: str, font: float) -> float:
    """The width of a text in em of its font."""
    return WIDE_DIGIT[font] * sum(map(_relative_width, text))


def _relative_width(letter: str) -> float:
    """The width of a letter relative to a digit."""
    known = next((width for letters, width in RELATIVE.items() if letter in letters), None)
    return known or (CAPITAL if letter.isupper() else LETTER)


def _rows(table: Table, font: float, width: float) -> int:
    """How many rows of the table fit on a page: all, or fewer where labels, sentences or notes take many lines."""
    needs = _needs(table, font)
    room = [max(1.0, need / WIDE_DIGIT[font] * width / (_needed(table, font) or 1.0)) for need in needs]
    lines = [
        max(math.ceil(len(text) / characters) for text, characters in zip(_texts(table, row), room, strict=True))
        for row in range(len(table.rows))
    ]
    lines = [
        line + any(number.remark for cell in row.cells if not isinstance(cell, str) for number in cell)
        for line, row in zip(lines, table.rows, strict=True)
    ]
    notes = sum(math.ceil(len(note) / (LINE * width / TEXT)) for note in table.notes) * 6 / 8
    heads = 6 + len({row.block for row in table.rows})
    height = (TALL - heads) * 8 / (font * 1.2)
    if sum(lines) + notes <= height:
        return max(1, len(table.rows))
    return max(FEWEST, int((height - notes) / max([1, *lines])))


def _texts(table: Table, row: int) -> list[str]:
    cells = [cell if isinstance(cell, str) else "" for cell in table.rows[row].cells]
    return [*table.names_of(table.rows[row]), *cells]
