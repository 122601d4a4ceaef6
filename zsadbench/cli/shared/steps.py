"""Progress over images on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TypeVar

from zsadbench.cli.shared.output import tell

Item = TypeVar("Item")

SECONDS = 10.0  # between two lines


def counted(items: Iterable[Item], total: int, what: str, *, quiet: bool) -> Iterator[Item]:
    """Yield the items and say how many of `total` are done; nothing with `quiet`."""
    if not quiet and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, what, total=total, console=Console(stderr=True), transient=True)
        return
    last = perf_counter()
    for done, item in enumerate(items, 1):
        yield item
        if perf_counter() - last >= SECONDS or done == total:
            last = perf_counter()
            tell(f"{done} of {total} {what}", quiet=quiet)
