"""The side of a worker under Ray: an actor that makes the plan of the run again and runs units on its node."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.engine.executors.child import Channel, Start
from zsadbench.engine.units.unit import Outcome, Unit

if TYPE_CHECKING:
    from ray.util.queue import Queue

    from zsadbench.engine.units.worker import Worker


@dataclass(frozen=True)
class Home:
    """Where the process that drives the run is at home: what its nodes are told of it.

    `folder` is its working folder, from which relative paths count, `variables` are its settings, which those of a node
    have precedence over. `token` is a file in the folder of the results: a node that sees it shares their disk.
    """

    folder: Path
    variables: dict[str, str]
    token: Path


@dataclass(frozen=True)
class Finished:
    """What a unit has come to: its outcome, or the exception that it raised, and files of results by relative path."""

    outcome: Outcome | None = None
    raised: Exception | None = None
    files: dict[str, bytes] = field(default_factory=dict)


class Sender:
    """What a channel sends through: a queue of Ray, marked with the number of the sending worker."""

    def __init__(self, queue: Queue, worker: int) -> None:
        self._queue, self._worker = queue, worker

    def send(self, value: object) -> None:
        """Send a value.

        Raises:
            OSError: the queue is gone, and with it the process that drives the run.
        """
        from ray.exceptions import RayError

        try:
            self._queue.put((self._worker, value))
        except RayError as failure:
            raise OSError(str(failure)) from failure


class RayWorker:
    """The class of the actors; what it raises is returned, as Ray would wrap it."""

    def __init__(self, start: Start, home: Home, queue: Queue, number: int) -> None:
        self._start, self._home = start, home
        self._channel = Channel(Sender(queue, number), start.level)  # type: ignore[arg-type]  # it has `send`
        self._worker: Worker | None = None
        self._own: Path | None = None  # folder of results where those of the run are not seen

    def begin(self) -> tuple[str, Exception | None]:
        """Make the plan; return the identity of the node, and what fails."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        root = logging.getLogger()
        root.handlers, root.level = [self._channel], self._start.level
        with suppress(OSError):  # without this folder, paths have to be absolute
            os.chdir(self._home.folder)
        for name, value in self._home.variables.items():
            os.environ.setdefault(name, value)
        start = self._start
        if not self._home.token.is_file():
            self._own = Path(tempfile.mkdtemp(prefix="zsadbench-"))
            start = replace(start, request=replace(start.request, out=self._own))
        try:
            self._worker = start.worker(self._channel.report)
        except Exception as failure:
            return node, _noted(failure)
        return node, None

    def run(self, unit: Unit, number: int) -> Finished:
        """Run a unit, and say before that the one of this number begins."""
        assert self._worker is not None  # noqa: S101 - `begin` comes first
        self._channel.send(number)
        try:
            outcome = self._worker.run(unit)
            return Finished(outcome, files=self._take_files())
        except Exception as failure:
            return Finished(raised=_noted(failure))
        finally:
            self._channel.flush_images()

    def end(self) -> None:
        """Remove what this worker has kept for itself."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def _take_files(self) -> dict[str, bytes]:
        """Return the files of results that the run does not see, by their path in the folder of results."""
        if self._own is None:
            return {}
        paths = [path for path in sorted(self._own.rglob("*.npy")) if path.is_file()]
        files = {path.relative_to(self._own).as_posix(): path.read_bytes() for path in paths}
        for path in paths:
            path.unlink()
        return files


def _noted(failure: Exception) -> Exception:
    """Return a failure with its traceback as a note, which is lost on the way otherwise."""
    failure.add_note("".join(traceback.format_exception(failure)))
    return failure
