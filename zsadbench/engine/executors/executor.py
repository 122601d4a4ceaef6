"""What every executor can do."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from zsadbench.engine.units.unit import Outcome, Unit


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
