"""All tables as Markdown in `table.md`: best numbers bold, second best inserted (underlined)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zsadbench.compare import Board, Cell, Number, Report, Table, blocks, contents_of
from zsadbench.printing import one_line
from zsadbench_reports.files import write

SPECIAL = re.compile(r"([\\`*_\[\]#+|~$])")
MARKUP = {"best": "**{}**", "second": "<ins>{}</ins>", "apart": "{}†", "": "{}"}


def write_markdown(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `table.md` below `out`; this format has no templates."""
    text = "\n".join(table_text(table) for table in contents_of(board).all())
    return [write(out, "table.md", text)]


def write_tables(tables: Sequence[Table], title: str, path: Path) -> Path:
    """Write single tables below a title as `path` with the suffix `.md`."""
    text = "\n".join([f"## {escape(title)}", "", *map(table_text, tables)])
    return write(path.parent, f"{path.name}.md", text)


def table_text(table: Table) -> str:
    """One table with its caption and notes as Markdown."""
    header = [*table.names, *table.columns]
    rest = [""] * (len(header) - 1)
    lines = [f"### {escape(table.caption)}", "", _line(map(escape, header)), _line(["---"] * len(header))]
    for about in (table.over, [venue for venue, _ in table.venues]):  # Markdown has one row of headings
        lines += [_line([*[""] * len(table.names), *(f"*{escape(text)}*" if text else "" for text in about)])] * any(
            about
        )
    for block, rows in blocks(table.rows):
        lines += [_line([f"*{escape(block)}*", *rest])] if block and not rows[0].summary else []
        lines += [_line([*map(escape, table.names_of(row)), *map(cell_text, row.cells)]) for row in rows]
    notes = [f"- {escape(note)}" for note in table.notes]
    return "\n".join([*lines, "", *notes, ""])


def cell_text(cell: Cell) -> str:
    """A cell as Markdown: escaped text, one number, or several numbers in brackets."""
    if isinstance(cell, str):
        return escape(cell)
    remark = next((f"<br>{escape(number.remark)}" for number in cell if number.remark), "")
    if all(number.value is None for number in cell):
        return "-" + remark
    numbers = [_number(number) for number in cell]
    return (numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})") + remark


def _number(number: Number) -> str:
    spread = f" ± {number.spread_text}" if number.spread_text else ""
    return MARKUP[number.mark].format(number.text + spread)


def escape(text: str) -> str:
    """Escape text so that Markdown and HTML print it unchanged, on one line."""
    plain = " ".join(one_line(text).split())
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", plain)


def _line(cells: Sequence[str] | map[str]) -> str:
    return f"| {' | '.join(cells)} |"


REPORT = Report(write_markdown, write_tables)
