"""Run units in worker processes: one for each device, or several on one, of this machine.

Each worker is a pool of its own of `concurrent.futures`, with one process, so that it is known which unit a process had
when it died. Processes are spawned: a forked copy of a process that has used CUDA, or threads of OpenMP, is not safe.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for_futures
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING

import torch

from zsadbench.engine.executors import child
from zsadbench.engine.executors.executor import AHEAD, GRACE, SECONDS, least_busy
from zsadbench.engine.units.deadline import too_long
from zsadbench.engine.units.unit import Event, Lost, Outcome, Score, Unit
from zsadbench.errors import CellError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from zsadbench.engine.plan.jobs import Plan

CANNOT_START = (
    "worker processes cannot start; where zsadbench.run is called by a script, the call has to stand under "
    "`if __name__ == '__main__':`"
)


class ProcessExecutor:
    """One worker process for each of `devices`, which may name one device several times."""

    def __init__(self, plan: Plan, devices: Sequence[torch.device], report: Callable[[Event], None]) -> None:
        threads = torch.get_num_threads()
        if devices[0].type == "cpu":  # which they share
            threads = max(1, threads // len(devices))
        starts = [child.start_of(plan, str(device), threads) for device in devices]
        self.workers = [WorkerProcess(start, report, plan.request.unit_timeout) for start in starts]
        self.slots = AHEAD * len(devices)

    def submit(self, unit: Unit) -> None:
        """Give a unit to the worker that has the least to do; of several, to one that knows its jobs."""
        least_busy(self.workers, unit).submit(unit)

    def wait(self) -> tuple[Unit, Outcome]:
        """Wait until a unit is finished, and report events meanwhile.

        Raises:
            CellError: workers cannot start.
        """
        while True:
            for worker in self.workers:
                worker.receive()
                finished = worker.finished()
                if finished is not None:
                    return finished
            running = [worker.units[0][1] for worker in self.workers if worker.units]
            wait_for_futures(running, SECONDS, FIRST_COMPLETED)

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.end(at_once=failure is not None)


class WorkerProcess:
    """One worker process and the units that it was given; a new process takes the place of one that died."""

    def __init__(self, start: child.Start, report: Callable[[Event], None], timeout: float | None) -> None:
        self.start, self.report, self.timeout = start, report, timeout
        self.units: deque[tuple[Unit, Future[Outcome]]] = deque()  # the first one runs, or is finished
        self.group: tuple[str, ...] = ()
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self._events: Connection | None = None
        self._ready = False  # whether the process has started
        self._finished = 0  # units that this process has finished
        self._begun: dict[int, float] = {}  # when units began, by their number
        self._too_long = False

    def submit(self, unit: Unit) -> None:
        """Give a unit to the process."""
        self.group = unit.group
        if self._pool is None:
            self._spawn()
        assert self._pool is not None  # noqa: S101 - see above
        try:
            future = self._pool.submit(child.run, unit, self._finished + len(self.units))
        except BrokenProcessPool as failure:  # the process is dead, which `finished` will find
            future = Future()
            future.set_exception(failure)
        self.units.append((unit, future))

    def receive(self) -> None:
        """Take what the process has sent, and kill it if its unit is late."""
        try:
            while self._events is not None and self._events.poll():
                self._take(self._events.recv())
        except (EOFError, OSError):  # the process has ended
            self._events = None
        since = self._begun.get(self._finished)
        if self.timeout and since and monotonic() - since > self.timeout + GRACE and self._process is not None:
            self._too_long = True
            self._process.kill()

    def finished(self) -> tuple[Unit, Outcome] | None:
        """Return the first unit with its outcome, None if it still runs.

        Raises:
            CellError: the process could not even start.
        """
        if not self.units or not self.units[0][1].done():
            return None
        unit, future = self.units.popleft()
        try:
            outcome = future.result()
        except BrokenProcessPool:
            outcome = self._lost(unit)
        else:
            self._finished += 1
        return unit, outcome

    def end(self, *, at_once: bool) -> None:
        """End the process: after its units, or at once."""
        if at_once and self._process is not None:
            self._process.kill()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _spawn(self) -> None:
        """Start the process, and remember it."""
        context = multiprocessing.get_context("spawn")
        self._events, writer = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, context, child.begin, (self.start, writer))
        self._ready, self._finished, self._begun, self._too_long = False, 0, {}, False
        before = set(multiprocessing.active_children())
        with _interrupts_ignored():
            self._pool.submit(int)  # a call that starts the process
        self._process = next(iter(set(multiprocessing.active_children()) - before), None)
        writer.close()

    def _take(self, sent: object) -> None:
        """Take one value that the process has sent."""
        if sent == child.READY:
            self._ready = True
        elif isinstance(sent, int):
            self._begun = {sent: monotonic()}
        elif isinstance(sent, logging.LogRecord):
            logger = logging.getLogger(sent.name)
            if logger.isEnabledFor(sent.levelno):
                logger.handle(sent)
        else:
            self.report(sent)  # type: ignore[arg-type]  # an event

    def _lost(self, unit: Unit) -> Lost:
        """Say how the process ended, and give the units that were not begun to a new one.

        Of a unit that took too long, each method is to be tried once more by itself, so that one that hangs costs no
        other one; a single one is not.

        Raises:
            CellError: it could not even start.
        """
        if self._process is not None:
            self._process.join()
        self.receive()
        if not self._ready:
            raise CellError(CANNOT_START)
        end, code = monotonic() + GRACE, None
        while self._process is not None and (code := self._process.exitcode) is None and monotonic() < end:
            sleep(SECONDS / 10)  # the thread of the pool has waited for it, and is about to keep its exit code
        lost = Lost(f"its worker process {_how_it_ended(code)}", again=True)
        if self._too_long and self.timeout is not None:
            lost = Lost(too_long(self.timeout), again=isinstance(unit, Score) and len(unit.jobs) > 1)
        self.end(at_once=False)
        waiting, self.units, self._pool, self._process = self.units, deque(), None, None
        for next_unit, _ in waiting:
            self.submit(next_unit)
        return lost


def _how_it_ended(code: int | None) -> str:
    """Say how a process ended, by its exit code."""
    if code is None:
        return "ended"
    if code >= 0:
        return f"ended with the exit code {code}"
    names = {entry.value: entry.name for entry in signal.Signals}
    short = " (memory may have been short)" if -code == signal.SIGKILL else ""
    return f"was killed by {names.get(-code, f'signal {-code}')}{short}"


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C while a process is spawned, which inherits this; without effect outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
