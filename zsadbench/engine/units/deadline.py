"""Interrupt a unit of work that takes longer than `--unit-timeout` allows, from within its process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from zsadbench.errors import CellError


def too_long(seconds: float) -> str:
    """Say that a unit took too long."""
    return f"it took longer than --unit-timeout {seconds:g} s"


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Raise `CellError` in the block after this many seconds; None for no limit.

    What runs when the time is over fails as if it had raised the error itself: a method that hangs costs itself alone.
    Code outside of Python is interrupted only once it returns. Nothing is limited outside of the main thread, and on
    systems without timers.
    """
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise CellError(too_long(seconds))

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
