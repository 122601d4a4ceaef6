"""What every executor can do."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from types import TracebackType
from typing import Protocol, TypeVar

from zsadbench.engine.units.unit import Outcome, Unit

AHEAD = 2  # units of a worker: one that runs, one that waits
SECONDS = 0.2  # between two looks at events and deadlines
GRACE = 5.0  # seconds in which a unit can end itself after its deadline


class Executor(Protocol):
    """Runs units; a `with` block ends its workers, at once if it is left by an exception.

    `slots` is how many units may be submitted and not be finished, so that memory stays bounded.
    """

    slots: int

    def submit(self, unit: Unit) -> None:
        """Have a unit run, now or later."""

    def wait(self) -> tuple[Unit, Outcome]:
        """Wait until one of the submitted units is finished, and return it with its outcome.

        Raises:
            RuntimeError: a bug in the unit.
        """

    def __enter__(self) -> Executor: ...

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class HasUnits(Protocol):
    """A worker in another process: the units that it was given, and the jobs that it knows."""

    group: tuple[str, ...]

    @property
    def units(self) -> Sized:
        """The units, the one that runs first."""


AnyWorker = TypeVar("AnyWorker", bound=HasUnits)


def least_busy(workers: Sequence[AnyWorker], unit: Unit) -> AnyWorker:
    """Return the worker that has the least to do; of several, one that knows the jobs of a unit."""
    least = min(len(worker.units) for worker in workers)
    idle = [worker for worker in workers if len(worker.units) == least]
    return next((worker for worker in idle if worker.group == unit.group), idle[0])
