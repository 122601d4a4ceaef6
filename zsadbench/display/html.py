"""HTML that notebooks show: tables and notes. Every text is escaped; nothing is loaded from elsewhere.

Styles are inline and colours are those of the page, so that dark themes, narrow pages and exports work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

LINE = "1px solid rgba(128,128,128,.45)"
CELL = "padding:3px 10px;border:0;vertical-align:bottom;background:transparent"
FAINT = "margin:2px 0;font-size:90%;opacity:.8;overflow-wrap:anywhere"


class Cell(NamedTuple):
    """A cell of a table; `reason`, where there is one, is shown when the pointer rests on it."""

    text: str
    reason: str = ""


def heading(text: str) -> str:
    """Show a line in bold."""
    return f'<p style="margin:6px 0 2px"><strong>{escape(text)}</strong></p>'


def notes(lines: Iterable[str]) -> str:
    """Show lines in small letters, one paragraph each."""
    return "".join(f'<p style="{FAINT}">{escape(line)}</p>' for line in lines)


def table(header: Sequence[str], rows: Iterable[Sequence[str | Cell]], texts: int = 1) -> str:
    """Show a table, which scrolls sideways where the page is narrow; headings may break after an underscore.

    Args:
        header: the headings of the columns.
        rows: the cells of each row.
        texts: the number of columns, from the left, that hold text; the others hold numbers and are aligned right.
    """
    sides = ["left" if column < texts else "right" for column in range(len(header))]
    lines = [_row("th", [Cell(text) for text in header], sides, f"border-bottom:{LINE}")] if any(header) else []
    lines += [_row("td", [cell if isinstance(cell, Cell) else Cell(cell) for cell in row], sides) for row in rows]
    content = f'<table style="border-collapse:collapse;margin:0;border:0">{"".join(lines)}</table>'
    return f'<div style="overflow-x:auto;max-width:100%">{content}</div>'


def _row(tag: str, cells: Sequence[Cell], sides: Sequence[str], style: str = "") -> str:
    shown = [
        f'<{tag} style="{CELL};text-align:{side};{style}"{_title(cell)}>{_breakable(cell.text)}</{tag}>'
        for cell, side in zip(cells, sides, strict=True)
    ]
    return f"<tr>{''.join(shown)}</tr>"


def _breakable(text: str) -> str:
    return escape(text).replace("_", "_<wbr>")


def _title(cell: Cell) -> str:
    return f' title="{escape(cell.reason)}"' if cell.reason else ""
