"""Jobs that share an encoding: what comes next and what is done. Their units run wherever an executor runs them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from zsadbench.data import limited
from zsadbench.engine.drive.class_task import ClassTask
from zsadbench.engine.plan.shards import whole_batches
from zsadbench.engine.plan.sharing import memory_chunks
from zsadbench.engine.record.recorder import JobRecorder
from zsadbench.engine.units.shard_files import remove_all
from zsadbench.engine.units.unit import Lost, Outcome, Prepare, Prepared, Score, Scored, Unit
from zsadbench.errors import CellError, UsageError, WeightsError
from zsadbench.records import identity

if TYPE_CHECKING:
    from zsadbench.engine.drive.reporter import Reporter
    from zsadbench.engine.plan.jobs import Job, Plan

log = logging.getLogger(__name__)


class GroupTask:
    """Jobs on one target that share one image encoding, from their preparation to their records.

    Args:
        plan: of the run.
        jobs: that share the encoding.
        reporter: receives the progress.
        on_failure: called with the job, what failed of it, and why.
        images: the most images of a shard.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: Sequence[Job],
        reporter: Reporter,
        on_failure: Callable[[Job, str, Exception], None],
        images: int,
    ) -> None:
        self.plan, self.reporter, self.on_failure, self.images = plan, reporter, on_failure, images
        self.recorders = {identity(job.cell): JobRecorder(plan, job) for job in jobs}
        self.keys = tuple(self.recorders)
        self._redo: deque[Unit] = deque()
        self._to_prepare = deque(Prepare(key, self.keys) for key in self.keys)
        self._prepared: dict[str, Prepared] = {}
        self._tasks: Iterator[ClassTask] | None = None
        self._open: list[ClassTask] = []
        self.finished = False
        if plan.request.overwrite == "always":
            for job in jobs:
                remove_all(job)

    def next_unit(self) -> Unit | None:
        """Return the next unit that can run now, None if others have to finish first."""
        if self._redo:
            return self._redo.popleft()
        if self._to_prepare:
            return self._to_prepare.popleft()
        if len(self._prepared) < len(self.keys):
            return None
        if self._tasks is None:
            self._tasks = self._class_tasks()
        unit = next((unit for task in self._open if (unit := task.next_unit())), None)
        while unit is None and (task := next(self._tasks, None)) is not None:
            self._open.append(task)
            self._finish_if_complete(task)
            unit = task.next_unit()
        self.finished = unit is None and not self._open
        return unit

    def take(self, unit: Unit, outcome: Outcome) -> None:
        """Take the outcome of a unit."""
        if isinstance(outcome, Lost):
            elsewhere = outcome.out_of_reach and not unit.moved
            if outcome.again and (elsewhere or not unit.attempt):
                self._try_again(unit, unit.elsewhere() if elsewhere else unit.again(), outcome.reason)
                return
            outcome = unit.failed(CellError(outcome.reason))
        if isinstance(unit, Prepare):
            assert isinstance(outcome, Prepared)  # noqa: S101 - the outcome of its kind
            self._take_preparation(unit.job, outcome)
            return
        assert isinstance(outcome, Scored)  # noqa: S101 - the outcome of its kind
        task = self._task_of(unit)
        for recorder, result in task.take(unit, outcome):
            if isinstance(result, Exception):
                self._fail(recorder, unit.class_name, result)
            elif not unit.whole:
                self.reporter.kept(recorder.job, unit.class_name, result)
        self._finish_if_complete(task)

    def _try_again(self, unit: Unit, again: Sequence[Unit], reason: str) -> None:
        """Have a unit run once more, and note it for the provenance of its records."""
        self._redo += again
        if isinstance(unit, Prepare):
            log.warning("a detector is prepared once more: %s", reason)
            self.recorders[unit.job].retried.append({"reason": reason})
            return
        flying, scores = self._task_of(unit).flying, [one for one in again if isinstance(one, Score)]
        flying.remove(unit)
        flying.update(scores)
        first, last, batch_size = unit.start + 1, unit.stop, scores[0].batch_size
        log.warning("%s, images %d to %d are scored once more: %s", unit.class_name, first, last, reason)
        for key in unit.jobs:
            entry = {"class": unit.class_name, "images": [first, last], "batch_size": batch_size, "reason": reason}
            self.recorders[key].retried.append(entry)

    def _task_of(self, unit: Score) -> ClassTask:
        """Return the task that a unit belongs to."""
        return next(task for task in self._open if unit in task.flying)

    def _take_preparation(self, key: str, outcome: Prepared) -> None:
        """Take note that a detector is ready, or report why not.

        Raises:
            UsageError, WeightsError: an option or the checkpoint does not fit, and no other method runs.
        """
        self._prepared[key], recorder = outcome, self.recorders[key]
        if outcome.preparation is not None:
            self.reporter.trained(recorder.job, outcome.preparation)
            recorder.prepared(outcome.preparation)
            return
        failure = outcome.failure or CellError("it was not prepared")
        if isinstance(failure, UsageError | WeightsError):
            if len(self.plan.request.methods) == 1:
                raise failure
            failure = CellError(str(failure))
        recorder.failure = failure
        self._fail(recorder, "training" if recorder.job.aux and outcome.trained else "preparation", failure)

    def _class_tasks(self) -> Iterator[ClassTask]:
        """Yield every class that a job lacks, with the heads of as many jobs at a time as fit into memory."""
        ready = [recorder for recorder in self.recorders.values() if recorder.failure is None]
        for recorder in ready:  # one batch size for all, also where several processes have measured it
            recorder.batch_size = self._prepared[identity(ready[0].job.cell)].batch_size
        target = next(iter(self.recorders.values())).job.target
        for class_name in target.classes:
            lacking = [recorder for recorder in ready if class_name in recorder.job.todo]
            if not lacking:
                continue
            setup = lacking[0].job.setup
            count = len(limited(target.manifest, class_name, setup.limit))
            pixels = count * setup.map_side**2 if target.card.pixel_level else 0
            for chunk in memory_chunks(lacking, pixels):
                task = ClassTask(self.plan, chunk, self.keys, class_name, self._shard(chunk[0].batch_size))
                for recorder in chunk:
                    self.reporter.evaluating(recorder.job, class_name, task.images)
                yield task

    def _shard(self, batch_size: int) -> int:
        """Return the most images of a shard, in whole batches."""
        whole = whole_batches(self.images, batch_size)
        if self.plan.request.shard not in (None, whole):
            _say_rounded(self.images, whole, batch_size)
        return whole

    def _finish_if_complete(self, task: ClassTask) -> None:
        """Merge a class whose shards are all there; it stays open if some have to be scored again."""
        if task.todo or task.flying:
            return
        for recorder, failure in task.finish():
            if failure is not None:
                self._fail(recorder, task.class_name, failure)
        if not task.todo:
            self._open.remove(task)
            for recorder in task.recorders:
                self.reporter.evaluated(recorder.job, task.class_name)

    def _fail(self, recorder: JobRecorder, where: str, failure: Exception) -> None:
        self.on_failure(recorder.job, where, failure)
        recorder.failed = True


@cache
def _say_rounded(images: int, whole: int, batch_size: int) -> None:
    """Say once that --shard is rounded up."""
    log.warning("--shard %d is rounded up to %d, whole batches of %d images", images, whole, batch_size)
