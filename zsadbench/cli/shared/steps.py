"""Progress over images on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from zsadbench.cli.shared.output import tell

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")

SECONDS = 10.0  # between two lines


def counted(items: Iterable[Item], total: int, what: str, *, quiet: bool) -> Iterator[Item]:
    """Yield the items and say how many of `total` are done, and how many a second; nothing with `quiet`."""
    if not quiet and sys.stderr.isatty():
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
        with Progress(TextColumn("{task.description}"), *columns, console=_stderr(), transient=True) as bars:
            task = bars.add_task(what, total=total, rate="")
            start = perf_counter()
            for done, item in enumerate(items, 1):
                bars.update(task, advance=1, rate=_rate(done, what, start))
                yield item
        return
    start = last = perf_counter()
    for done, item in enumerate(items, 1):
        yield item
        if perf_counter() - last >= SECONDS or done == total:
            last = perf_counter()
            tell(f"{done} of {total} {what}, {_rate(done, what, start)}", quiet=quiet)


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _rate(done: int, what: str, start: float) -> str:
    """How many items a second since `start`, with three digits."""
    return f"{done / max(perf_counter() - start, 1e-9):.3g} {what}/s"


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM interrupt the block as Ctrl-C does, so that what was finished is written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
