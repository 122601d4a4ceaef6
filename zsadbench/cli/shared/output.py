"""Lines, tables and JSON on stdout; one line on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.fitting import Columns, fit
from zsadbench.printing import one_line, printable_lines

if TYPE_CHECKING:
    from rich.console import Console


def say(*lines: str) -> None:
    """Write lines of data to stdout; control characters in names are escaped, so that each stays one line, or three."""
    for line in lines:
        print("\n".join(printable_lines(line)))  # noqa: T201 - stdout carries data


def tell(line: str, *, quiet: bool = False) -> None:
    """Write one line, or three, on progress or a failure to stderr, unless `quiet`."""
    if not quiet:
        print("\n".join(printable_lines(line)), file=sys.stderr, flush=True)  # noqa: T201


def say_json(value: Any) -> None:
    """Write one JSON object on a line of stdout.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    print(json.dumps(value, allow_nan=False), flush=True)  # noqa: T201


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], optional: Sequence[str] = ()) -> None:
    """Print a table on stdout, within the width of the terminal; 80 characters in a pipe, or those of COLUMNS.

    A table that is too wide loses its `optional` columns, the last first, and a line names them; then its text breaks
    between words; then its rows become columns. There are no colours where stdout is no terminal.
    """
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    whole = Columns(list(map(one_line, header)), [tuple(map(one_line, row)) for row in rows])
    parts, left_out = fit(whole, console.width, optional)
    for number, part in enumerate(parts):
        _print_part(console, one_line(title) if number == 0 else "", part)
    if left_out:
        say(f"left out, as they do not fit {console.width} columns: {', '.join(left_out)}", "")


def _print_part(console: Console, title: str, part: Columns) -> None:
    """Print one part of a table, without spaces at the ends of lines."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, least in enumerate(part.least_widths()):
        number = part.is_number(column)
        grid.add_column(
            part.header[column] if part.fits(console.width) else part.heading(column),
            justify="right" if number else "left",
            no_wrap=number,
            min_width=least,
            overflow="fold",
        )
    for row in part.rows:
        grid.add_row(*row)
    wide = console.measure(grid, options=console.options.update(width=1000)).minimum
    with console.capture() as captured:
        if title:
            console.print(Text(title, style="italic"))
        console.print(grid, width=max(console.width, wide))
    console.file.write("\n".join(line.rstrip() for line in captured.get().split("\n")))


def say_rows(header: Sequence[str], rows: Iterable[Sequence[str]], *, json: bool) -> None:
    """Print rows as a table, or each as one JSON object."""
    if not json:
        table("", header, rows)
        return
    for row in rows:
        say_json(dict(zip(header, row, strict=True)))
