"""What the verbs share: comma lists, logging, data on stdout."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from zsadbench.errors import UsageError
from zsadbench.printing import one_line

NUMERIC = re.compile(r"-|[-+\d.e]+( \[[\d., ]+\])?( \(\d+\))?")  # a number, with bounds, with a count, or none
PROGRESS = "zsadbench.run"  # the logger of progress
DOMAINS = ("industrial", "medical")


def version_wanted(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from importlib.metadata import version

        print(version("zsadbench"))  # noqa: T201
        raise typer.Exit


def split(values: Iterable[str] | None) -> tuple[str, ...]:
    """Repeated flags that may each be a comma list; `folder:` and `csv:` targets are never split."""
    parts: list[str] = []
    for value in values or ():
        parts += [value] if value.startswith(("folder:", "csv:")) else value.split(",")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def split_options(values: Iterable[str] | None) -> tuple[str, ...]:
    """`-O a=1,b=2` as two options; a comma inside a value stays, as in `-O views=id,sem`."""
    return tuple(part for value in values or () for part in re.split(r",(?=[\w.]+=)", value))


def split_numbers(values: Iterable[str] | None, flag: str) -> tuple[int, ...]:
    """Repeated whole numbers or comma lists of them."""
    numbers = []
    for value in split(values):
        try:
            numbers.append(int(value))
        except ValueError as failure:
            raise UsageError(f"{flag} takes whole numbers, not '{value}'") from failure
    return tuple(numbers)


def targets_of(values: Iterable[str] | None) -> tuple[str, ...]:
    """Names of targets; `all` is every benchmark that is not drawn, a domain is those of the domain."""
    named: list[str] = []
    for value in split(values):
        named += _group(value) if value in {"all", *DOMAINS} else [value]
    return tuple(dict.fromkeys(named))


def _group(name: str) -> list[str]:
    from zsadbench.data import all_cards

    return [card.name for card in all_cards() if not card.generated and name in {"all", card.domain}]


class OneLine(logging.Formatter):
    """What is logged, an entry a line, whatever names it holds."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The entry without its traceback, which has lines of its own."""
        return one_line(super().formatMessage(record))


def start_logging(*, quiet: bool = False, verbose: bool = False) -> None:
    """Warnings, or with `verbose` everything, to stderr; with `quiet` errors only."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, force=True)
    for screen in logging.getLogger().handlers:
        screen.setFormatter(OneLine("%(levelname)s: %(message)s"))
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "info")
    logging.addLevelName(logging.ERROR, "error")


def start_log_file(out: Path) -> Path:
    """Write everything that is logged from now on to a file of its own in `out/logs`, too."""
    folder = out / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for screen in logging.getLogger().handlers:
        screen.setLevel(logging.getLogger().level)
        screen.addFilter(lambda entry: entry.name != PROGRESS)  # the screen has the bars
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    logging.getLogger(__name__).info("%s", shlex.join(sys.argv))
    return path


def say(*lines: str) -> None:
    """Write lines of data to stdout, each on one line, whatever names it holds."""
    for line in lines:
        print(one_line(line))  # noqa: T201 - stdout carries data


def tell(line: str, *, quiet: bool = False) -> None:
    """Say on stderr, on one line, how it goes or what failed."""
    if not quiet:
        print(one_line(line), file=sys.stderr, flush=True)  # noqa: T201


def say_json(value: Any) -> None:
    """One JSON object a line; NaN and Infinity are refused."""
    print(json.dumps(value, allow_nan=False), flush=True)  # noqa: T201


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout, as wide as it needs to be, without colours where stdout is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    listed = [tuple(map(one_line, row)) for row in rows]
    made = Table(title=one_line(title) or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for index, name in enumerate(map(one_line, header)):
        numeric = bool(listed) and all(NUMERIC.fullmatch(row[index]) for row in listed)
        made.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in listed:
        made.add_row(*row)
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    console.width = max(console.width, console.measure(made, options=console.options.update(width=1000)).maximum)
    console.print(made)


def say_rows(header: Sequence[str], rows: Iterable[Sequence[str]], *, json: bool) -> None:
    """Rows as a table, or as one JSON object each."""
    if not json:
        table("", header, rows)
        return
    for row in rows:
        say_json(dict(zip(header, row, strict=True)))
