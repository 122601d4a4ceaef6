"""A worker process: it makes the plan of the run again, runs units, and ends when the process that started it ends."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass, replace
from logging.handlers import QueueHandler
from multiprocessing import parent_process
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch

from zsadbench import registry
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.units.unit import Event, Images, Outcome, Step, Unit
from zsadbench.engine.units.worker import Keeping, Worker, with_classes
from zsadbench.records import identity

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.plan.request import RunRequest

READY = -1  # sent once the process has started
SECONDS = 0.2  # between two events
PR_SET_PDEATHSIG = 1  # of prctl(2)
LOST = 1  # the exit code without a parent


@dataclass(frozen=True)
class Start:
    """What a worker process is told when it starts.

    `request` is that of the run, `plugins` the files of its methods, `todo` the classes to do of every job by its
    identity. `device` is that of the worker, `threads` are those of its arithmetic; `level` is the lowest level of log
    entries that are wanted.
    """

    request: RunRequest
    plugins: tuple[Path, ...]
    todo: dict[str, tuple[str, ...]]
    device: str
    threads: int
    level: int
    keeping: Keeping = "files"

    def worker(self, report: Any) -> Worker:
        """Make the worker; its plan writes no records."""
        for path in self.plugins:
            registry.add_plugin(path)
        torch.set_num_threads(self.threads)
        request = replace(self.request, device=self.device, engine="local", jobs=None, address=None)
        logging.disable(logging.WARNING)  # what the parent has said already
        try:
            plan = with_classes(make_plan(request, records=False), self.todo)
        finally:
            logging.disable(logging.NOTSET)
        return Worker(plan, torch.device(self.device), report, self.keeping)


def start_of(plan: Plan, device: str, threads: int, keeping: Keeping = "files") -> Start:
    """Return what a worker is told of a plan."""
    todo = {identity(job.cell): job.todo for job in plan.jobs}
    level = logging.getLogger("zsadbench.engine").getEffectiveLevel()
    return Start(plan.request, registry.plugin_files(), todo, device, threads, level, keeping)


class Channel(QueueHandler):
    """Sends events, log entries and signs of life to the parent; what cannot be sent is lost."""

    def __init__(self, connection: Connection, level: int) -> None:
        super().__init__(connection)  # type: ignore[arg-type]  # `enqueue` needs no queue
        self.setLevel(level)
        self._images, self._last = 0, 0.0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a log entry."""
        self.send(record)

    def send(self, value: object) -> None:
        """Send a value; the lock is that of the handler."""
        with self.lock or threading.RLock():
            try:
                self.queue.send(value)  # type: ignore[attr-defined]
            except OSError:  # the parent is gone
                os._exit(LOST)

    def report(self, event: Event) -> None:
        """Send an event; those that come fast are added up, or left out."""
        if isinstance(event, Images):
            self._images += event.count
            event = Images(self._images)
        last_step = isinstance(event, Step) and event.done == event.total
        if last_step or monotonic() - self._last >= SECONDS:
            self.flush_images()
            if not isinstance(event, Images):
                self.send(event)

    def flush_images(self) -> None:
        """Send the number of images that were not sent yet."""
        self._last = monotonic()
        if self._images:
            self.send(Images(self._images))
            self._images = 0


_start: tuple[Start, Channel] | None = None
_worker: Worker | None = None


def begin(start: Start, connection: Connection) -> None:
    """Prepare this process: what interrupts the parent does not interrupt it, and it ends with the parent."""
    global _start  # noqa: PLW0603 - the state of the process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()  # also if the parent is dead already
    channel = Channel(connection, start.level)
    root = logging.getLogger()
    root.handlers, root.level = [channel], start.level
    _start = start, channel
    channel.send(READY)


def run(unit: Unit, number: int) -> Outcome:
    """Run a unit, and say before that the one of this number begins; the plan is made with the first."""
    global _worker  # noqa: PLW0603 - the state of the process
    assert _start is not None  # noqa: S101 - `begin` comes first
    start, channel = _start
    if _worker is None:
        _worker = start.worker(channel.report)
    channel.send(number)
    try:
        return _worker.run(unit)
    finally:
        channel.flush_images()


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent dies, as code that never returns to Python stops all threads."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_parent() -> None:
    """End this process once the parent has ended, on any system, as far as threads run."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(LOST)
