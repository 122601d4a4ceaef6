"""Lines, tables and JSON on stdout; one line on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from zsadbench.printing import one_line, printable_lines

NUMERIC = re.compile(r"-|[-+\d.e]+( \[[\d., ]+\])?( \(\d+\))?")  # a number, with bounds, with a count, or none


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


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout, as wide as its content; without colours where stdout is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    cells = [tuple(map(one_line, row)) for row in rows]
    grid = Table(title=one_line(title) or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for index, name in enumerate(map(one_line, header)):
        numeric = bool(cells) and all(NUMERIC.fullmatch(row[index]) for row in cells)
        grid.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in cells:
        grid.add_row(*row)
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    console.width = max(console.width, console.measure(grid, options=console.options.update(width=1000)).maximum)
    console.print(grid)


def say_rows(header: Sequence[str], rows: Iterable[Sequence[str]], *, json: bool) -> None:
    """Print rows as a table, or each as one JSON object."""
    if not json:
        table("", header, rows)
        return
    for row in rows:
        say_json(dict(zip(header, row, strict=True)))
