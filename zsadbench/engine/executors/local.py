"""Run units in this process, one after the other."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from zsadbench.engine.units.unit import Outcome, Unit
from zsadbench.engine.units.worker import Worker


class LocalExecutor:
    """Runs a unit when its outcome is waited for."""

    slots = 1

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._units: deque[Unit] = deque()

    def submit(self, unit: Unit) -> None:
        """Have a unit run later."""
        self._units.append(unit)

    def wait(self) -> tuple[Unit, Outcome]:
        """Run the next unit."""
        unit = self._units.popleft()
        return unit, self.worker.run(unit)

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        return
