"""One worker under Ray, as the process that drives the run sees it."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from zsadbench.engine.executors.executor import GRACE
from zsadbench.engine.executors.ray_worker import Finished, Home, RayWorker
from zsadbench.errors import CellError

if TYPE_CHECKING:
    from ray.util.queue import Queue

    from zsadbench.engine.executors.child import Start
    from zsadbench.engine.executors.ray_cluster import Place
    from zsadbench.engine.units.unit import Unit

STARTS = 3  # times in a row that an actor may fail to start
LONGEST = 200  # letters of what Ray says


class Actor:
    """One worker and the units that it was given; a new actor takes the place of one that is gone.

    `ready` is whether it has made its plan, `late` whether it was ended as its unit took too long, `node` the name of
    its node, `end_said` how it ended, `unreachable` whether it may live, but cannot be reached.
    """

    def __init__(self, start: Start, home: Home, queue: Queue, number: int, place: Place) -> None:
        import ray

        needs = {"num_cpus": place.processors, "num_gpus": place.gpus, "scheduling_strategy": "SPREAD"}
        self._class: Any = ray.remote(RayWorker).options(**needs, max_restarts=0, max_task_retries=0)
        self._arguments = (start, home, queue, number)
        self._starts = 0
        self._spawn()

    def _spawn(self) -> None:
        self.units: deque[tuple[Unit, Any]] = deque()  # the first one runs, or is finished
        self.group: tuple[str, ...] = ()
        self.ready, self.late, self.node, self.end_said, self.unreachable = False, False, "", "", False
        self.begun: tuple[int, float] | None = None  # the number of the unit that runs, and since when
        self._numbered = self._finished = 0
        self._starts += 1
        self.actor: Any = self._class.remote(*self._arguments)
        self._first = self.actor.begin.remote()

    @property
    def awaited(self) -> Any:
        """The next result that will come, None if there is nothing to do."""
        if not self.ready:
            return self._first
        return self.units[0][1] if self.units else None

    def submit(self, unit: Unit) -> None:
        """Give a unit to the actor."""
        self.group = unit.group
        self.units.append((unit, self.actor.run.remote(unit, self._numbered)))
        self._numbered += 1

    def done(self) -> bool:
        """Whether the next result is there."""
        import ray

        return self.awaited is not None and bool(ray.wait([self.awaited], timeout=0)[0])

    def take(self) -> tuple[Unit, Finished | None] | None:
        """Take the next result: a unit with what it has come to, None where the actor is gone; None for a start.

        Raises:
            CellError: actors cannot start.
            ZsadError: the actor finds no data or no weights.
        """
        import ray
        from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

        try:
            result = ray.get(self.awaited)
        except RayTaskError:  # a bug
            raise
        except RayError as failure:
            self.end_said = _how_it_ended(failure)
            self.unreachable = isinstance(failure, ActorUnavailableError)
            if self.ready:
                return self.units.popleft()[0], None
            if self._starts >= STARTS:
                raise CellError(f"workers of Ray cannot start: {self.end_said}") from failure
            return None
        if self.ready:
            self._finished, self._starts = self._finished + 1, 0
            return self.units.popleft()[0], result
        self.node, failed = result
        if failed is not None:
            raise failed
        self.ready = True
        return None

    def replace(self) -> list[Unit]:
        """Put a new actor in the place of one that is gone, and return the units that it has not begun."""
        import ray

        if not self.end_said:
            return []
        ray.kill(self.actor)  # it may be out of reach only
        units = [unit for unit, _ in self.units]
        self._spawn()
        return units

    def end_if_late(self, timeout: float | None) -> None:
        """Kill the actor if its unit is late."""
        import ray

        if timeout and self.begun and self.begun[0] == self._finished and not self.late:
            self.late = monotonic() - self.begun[1] > timeout + GRACE
            if self.late:
                ray.kill(self.actor)


def _how_it_ended(failure: Exception) -> str:
    """Say in one line how an actor ended, from what Ray says in many."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("The actor")), lines[-1] if lines else "")
    detail = last.rpartition("Worker exit detail: ")[2].partition(" Some common causes")[0].strip()
    return detail[:LONGEST] or type(failure).__name__
