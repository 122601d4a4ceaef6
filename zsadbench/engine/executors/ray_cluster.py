"""A cluster of Ray: that of `--address`, or a node of its own on 127.0.0.1; what its nodes have; and silence.

Ray prints messages of its own to stdout and stderr, which carry the table and the progress of a run. They are turned
off while the run uses Ray.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from zsadbench.errors import UsageError

OBJECTS = 512 << 20  # bytes of shared memory for results that wait, on a node of our own
ALONE = {  # settings of a node of our own
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # this means 127.0.0.1, on every system
}
QUIET = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}  # else a warning on every start
ANSWER = 5.0  # seconds in which a cluster has to answer


@dataclass(frozen=True)
class Place:
    """What every worker gets: processors, and a GPU or a part of one; and the number of workers."""

    workers: int
    processors: int
    gpus: float


class Cluster:
    """A connection to a cluster.

    Args:
        address: `auto` or HOST:PORT; None for a node of our own, or for the one that this program is connected to.
        processors: of a node of our own.
        gpus: whether a node of our own offers its GPUs.

    Raises:
        UsageError: there is no such cluster, or Ray cannot start.
    """

    def __init__(self, address: str | None, processors: int, *, gpus: bool) -> None:
        with ExitStack() as stack:
            stack.enter_context(_settings(QUIET if address else ALONE | QUIET))
            import ray

            self._ray: Any = ray
            self._own = not ray.is_initialized()
            stack.enter_context(_silence())
            if self._own:
                self._connect(address, processors, gpus=gpus)
            self._changed = stack.pop_all()

    def _connect(self, address: str | None, processors: int, *, gpus: bool) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}
        alone: dict[str, Any] = {"num_cpus": processors, "include_dashboard": False, "object_store_memory": OBJECTS}
        if not gpus:
            alone["num_gpus"] = 0
        if address not in {None, "auto"}:
            _check_answer(str(address))
        inside = address is None or address.startswith(("127.", "localhost:", "[::1]"))
        try:
            with _handlers_kept(), _loopback() if inside else nullcontext():
                self._ray.init(address or "local", **quiet, **({} if address else alone))
        except (OSError, RuntimeError, ValueError) as failure:  # a `ConnectionError` is an `OSError`
            what = f"no cluster of Ray at --address {address}" if address is not None else "Ray cannot start"
            raise UsageError(f"{what}: {str(failure).strip().splitlines()[0]}") from failure

    def place(self, workers: int | None, *, gpus: bool) -> Place:
        """Find a place for `workers` workers, each with as many processors as there are for all.

        Without a number there is one worker for each GPU; on processors, one for each node.

        Raises:
            UsageError: there are too few processors, or no GPU.
        """
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        processors = [int(node.get("CPU", 0)) for node in nodes]
        cards = [int(node.get("GPU", 0)) for node in nodes]
        if gpus and not sum(cards):
            raise UsageError("the cluster of Ray has no GPU; use --device cpu")
        count = workers or (sum(cards) if gpus else max(1, sum(number > 0 for number in processors)))
        share = -(-count // sum(cards)) if gpus else 0  # workers of a GPU
        rooms = [number * share for number in cards] if gpus else [count] * len(nodes)
        each = processors_each(processors, rooms, count)
        if each is None:
            raise UsageError(
                f"the cluster of Ray has no place for {count} workers: it has {sum(processors)} processors; "
                "use a smaller --jobs"
            )
        return Place(count, each, 1 / share if share else 0.0)

    def has(self, node: str) -> bool:
        """Whether a node is known and lives."""
        return any(entry["NodeID"] == node and entry["Alive"] for entry in self._ray.nodes())

    def describe(self, node: str) -> str:
        """Return the address of a node, and say so if it is gone."""
        known = next((entry for entry in self._ray.nodes() if entry["NodeID"] == node), None)
        if known is None:
            return "a node"
        return f"node {known['NodeManagerAddress']}{'' if known['Alive'] else ', which has left,'}"

    def close(self) -> None:
        """Leave the cluster, and end it if it is our own; one that this program was connected to before is kept."""
        with self._changed, _handlers_kept():
            if self._own:
                self._ray.shutdown()


def processors_each(processors: Sequence[int], rooms: Sequence[int], workers: int) -> int | None:
    """Return the most processors that each of `workers` can have; None if not all find a place.

    Args:
        processors: of every node.
        rooms: the most workers of every node for another reason.
        workers: to be placed.
    """
    for each in range(max(processors, default=0), 0, -1):
        if sum(min(number // each, room) for number, room in zip(processors, rooms, strict=True)) >= workers:
            return each
    return None


def _check_answer(address: str) -> None:
    """Check that something answers at HOST:PORT; Ray itself would try for minutes.

    Raises:
        UsageError: nothing does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except (OSError, OverflowError) as failure:
        raise UsageError(f"no cluster of Ray at --address {address}: {failure}") from failure


@contextmanager
def _settings(values: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment for Ray within the block; those of the user have precedence."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _loopback() -> Iterator[None]:
    """Have Ray take 127.0.0.1 for the address of this machine, also if it was imported before."""
    from ray._private import ray_constants

    before = getattr(ray_constants, "ENABLE_RAY_CLUSTER", None)
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Restore what happens on SIGINT and SIGTERM, which Ray changes; without effect outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _silence() -> Iterator[None]:
    """Have Ray print nothing within the block."""
    from ray._private import worker

    logger = logging.getLogger("ray")
    level, printed = logger.level, getattr(worker, "_worker_logs_enabled", True)
    logger.setLevel(logging.CRITICAL + 1)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        logger.setLevel(level)
        worker._worker_logs_enabled = printed
