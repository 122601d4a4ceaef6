"""Who receives the progress of a run: the base class of callbacks, and several of them as one."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.record.facts import Preparation
    from zsadbench.records import Record

log = logging.getLogger(__name__)


class Reporter:
    """Receives the progress of a run; derive a class from it and override what you need, the rest does nothing.

    `job.setup.name` is the method, `job.target.card.name` the target, `job.seed` the seed, `job.path` the file of the
    record. Methods are called one at a time, in the process that started the run, also where others do the work.
    """

    def start(self, plan: Plan) -> None:
        """The plan is made; `plan.jobs` are its records to make, and `job.todo` the classes that a record lacks."""

    def training(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:
        """An optimiser step is done, the `done`-th of `total`; steps of epochs that were kept earlier are left out.

        Each stage of a training in several stages counts from 1. `class_name` is that of a training on the support
        images of a class, else empty.
        """

    def epoch(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:
        """An epoch is done, the `done`-th of `total`; `loss` is the mean over its steps.

        A method that remembers its auxiliary set in one pass, without optimising, has one epoch with loss 0.
        """

    def trained(self, job: Job, preparation: Preparation) -> None:
        """The detector is ready, trained or loaded; `preparation.checkpoint` is the path of its parameters or None."""

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """A class begins, of which `total` images are left to score."""

    def images(self, count: int) -> None:
        """`count` more images are scored, by all methods that share their encoding."""

    def kept(self, job: Job, class_name: str, count: int) -> None:
        """`count` images of a class are scored and kept, also if the run is interrupted from now on."""

    def evaluated(self, job: Job, class_name: str) -> None:
        """A class is finished, or has failed."""

    def record(self, job: Job, record: Record) -> None:
        """A record is written, as far as this run completes it, or was complete before the run."""

    def failed(self, job: Job, where: str, failure: str) -> None:
        """A class or a whole job failed: `where`, and why in one line."""


class Reporters(Reporter):
    """Passes each call on to every one of `reporters`.

    A call that raises costs one line in the log and in `failures`: the run goes on, and this method of this reporter is
    not called again.
    """

    def __init__(self, reporters: Sequence[Reporter]) -> None:
        self.reporters = tuple(reporters)
        self.failures: list[str] = []
        self._failed: set[tuple[int, str]] = set()

    def start(self, plan: Plan) -> None:
        """As `Reporter.start`, and so are all methods."""
        self._call("start", plan)

    def training(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:  # noqa: D102
        self._call("training", job, done, total, loss, class_name)

    def epoch(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:  # noqa: D102
        self._call("epoch", job, done, total, loss, class_name)

    def trained(self, job: Job, preparation: Preparation) -> None:  # noqa: D102
        self._call("trained", job, preparation)

    def evaluating(self, job: Job, class_name: str, total: int) -> None:  # noqa: D102
        self._call("evaluating", job, class_name, total)

    def images(self, count: int) -> None:  # noqa: D102
        self._call("images", count)

    def kept(self, job: Job, class_name: str, count: int) -> None:  # noqa: D102
        self._call("kept", job, class_name, count)

    def evaluated(self, job: Job, class_name: str) -> None:  # noqa: D102
        self._call("evaluated", job, class_name)

    def record(self, job: Job, record: Record) -> None:  # noqa: D102
        self._call("record", job, record)

    def failed(self, job: Job, where: str, failure: str) -> None:  # noqa: D102
        self._call("failed", job, where, failure)

    def _call(self, name: str, *arguments: Any) -> None:
        for number, reporter in enumerate(self.reporters):
            if (number, name) in self._failed:
                continue
            try:
                getattr(reporter, name)(*arguments)
            except Exception as failure:  # the code of a user, of any kind
                self._failed.add((number, name))
                self._say(f"{type(reporter).__name__}.{name}", failure)

    def _say(self, callback: str, failure: Exception) -> None:
        last = traceback.extract_tb(failure.__traceback__)[-1]
        text = " ".join(f"{type(failure).__name__}: {failure}".split())
        place = f"{Path(last.filename).name}, line {last.lineno}"
        line = f"callback {callback} is not called again, as it failed ({place}): {text}"
        self.failures.append(line)
        log.error("%s", line)
