"""Run units in actors of Ray, on the nodes of a cluster or on this machine alone.

Ray places the actors and tells when one is gone; which unit an actor gets is decided here, as for worker processes: two
a worker at most, so that it is known which one it had when it died. The states of shards come as bytes, and saved maps
too from nodes that do not see the folder of the results.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.engine.executors.child import start_of
from zsadbench.engine.executors.executor import AHEAD, GRACE, SECONDS, least_busy
from zsadbench.engine.executors.ray_actor import Actor
from zsadbench.engine.executors.ray_cluster import Cluster
from zsadbench.engine.executors.ray_worker import Finished, Home
from zsadbench.engine.machine.threads import THREAD_VARIABLES
from zsadbench.engine.units.deadline import too_long
from zsadbench.engine.units.unit import Event, Lost, Outcome, Unit
from zsadbench.files import temporary_file, write_atomically

if TYPE_CHECKING:
    from ray.util.queue import Queue

    from zsadbench.engine.plan.jobs import Plan

log = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds without any worker after which that is said


class RayExecutor:
    """Actors on processors, or on GPUs: as many as the request asks for, else one for each GPU or node.

    Raises:
        UsageError: there is no such cluster, or it has no place for the workers.
    """

    def __init__(self, plan: Plan, device: torch.device, report: Callable[[Event], None]) -> None:
        request, gpus, threads = plan.request, device.type == "cuda", torch.get_num_threads()
        self.out, self.report, self.timeout = request.out, report, request.unit_timeout
        self.cluster = Cluster(request.address, max(request.jobs or 1, threads), gpus=gpus)
        self.workers: list[Actor] = []
        self.queue: Queue | None = None
        self._open = ExitStack()
        try:
            place = self.cluster.place(request.jobs, gpus=gpus)
            if request.address is None or any(os.environ.get(name) for name in THREAD_VARIABLES):
                threads = min(threads, place.processors)
            else:
                threads = place.processors
            request.out.mkdir(parents=True, exist_ok=True)
            token = self._open.enter_context(temporary_file(request.out.absolute() / "token"))
            variables = {name: value for name, value in os.environ.items() if name.startswith("ZSADBENCH_")}
            home = Home(Path.cwd(), variables, token)
            start = start_of(plan, str(device), threads, "bytes")
            self.queue = _queue()
            for number in range(place.workers):
                self.workers.append(Actor(start, home, self.queue, number, place))
        except BaseException:
            self._leave(at_once=True)
            raise
        self.slots = AHEAD * len(self.workers)
        self._waiting: deque[Unit] = deque()
        self._idle_since: float | None = monotonic()
        log.info("%d workers of Ray, %d threads each, on %s", place.workers, threads, device)

    def submit(self, unit: Unit) -> None:
        """Give a unit to a worker, now or when one is ready."""
        self._waiting.append(unit)
        self._hand_out()

    def wait(self) -> tuple[Unit, Outcome]:
        """Wait until a unit is finished, and report events meanwhile.

        Raises:
            CellError: workers cannot start.
            ZsadError: a worker finds no data or no weights.
        """
        import ray

        while True:
            for worker in self.workers:
                if worker.done():
                    found = worker.take()
                    self._receive()  # the events that came before
                    outcome = self._outcome(worker, *found) if found is not None else None
                    self._waiting.extendleft(reversed(worker.replace()))
                    self._hand_out()
                    if found is not None and outcome is not None:
                        return found[0], outcome
            self._receive()
            self._complain()
            for worker in self.workers:
                worker.end_if_late(self.timeout)
            ray.wait([worker.awaited for worker in self.workers if worker.awaited is not None], timeout=SECONDS)

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(at_once=failure is not None)

    def _outcome(self, worker: Actor, unit: Unit, finished: Finished | None) -> Outcome:
        """Return the outcome of a unit, None standing for a worker that is gone; write the files that came with it."""
        if finished is None:
            if worker.late and self.timeout is not None:
                return Lost(too_long(self.timeout), again=False)
            where = self.cluster.describe(worker.node)
            unreachable = worker.unreachable or not self.cluster.has(worker.node)
            return Lost(f"its worker on {where} is gone: {worker.end_said}", again=True, out_of_reach=unreachable)
        if finished.raised is not None:
            raise finished.raised
        assert finished.outcome is not None  # noqa: S101 - else it was raised
        try:
            for relative, content in finished.files.items():
                write_atomically(self.out / relative, content)
        except OSError as failure:
            return unit.failed(failure)
        return finished.outcome

    def _hand_out(self) -> None:
        """Give units that wait to workers that are ready."""
        while self._waiting:
            free = [worker for worker in self.workers if worker.ready and len(worker.units) < AHEAD]
            if not free:
                return
            unit = self._waiting.popleft()
            least_busy(free, unit).submit(unit)

    def _receive(self) -> None:
        """Take what the workers have sent."""
        from ray.exceptions import RayError

        assert self.queue is not None  # noqa: S101 - made with the executor
        try:
            count = self.queue.size()
            sent = self.queue.get_nowait_batch(count) if count else []
        except RayError:  # events of a queue that is gone are lost, which costs no result
            return
        for number, value in sent:
            if isinstance(value, logging.LogRecord):
                logger = logging.getLogger(value.name)
                if logger.isEnabledFor(value.levelno):
                    logger.handle(value)
            elif isinstance(value, int):
                self.workers[number].begun = (value, monotonic())
            else:
                self.report(value)

    def _complain(self) -> None:
        """Say that Ray has no place for any worker, if that takes long."""
        if any(worker.ready for worker in self.workers):
            self._idle_since = monotonic()
        elif self._idle_since is not None and monotonic() - self._idle_since > PATIENCE:
            log.warning("the cluster of Ray has had no place for any worker for %.0f s; the run waits", PATIENCE)
            self._idle_since = None

    def _leave(self, *, at_once: bool) -> None:
        """End all workers, and leave the cluster."""
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):
            ended = [] if at_once else [worker.actor.end.remote() for worker in self.workers if worker.ready]
            if ended:
                ray.wait(ended, num_returns=len(ended), timeout=GRACE)
            for worker in self.workers:
                ray.kill(worker.actor)
            if self.queue is not None:
                actor: Any = self.queue.actor
                ray.kill(actor)
        with suppress(OSError):
            self._open.close()
        self.cluster.close()


def _queue() -> Queue:
    """Make the queue of events, on the node of this process."""
    import ray
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
