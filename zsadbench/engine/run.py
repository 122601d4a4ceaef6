"""Run a plan: each record is written after every class, and a class that fails does not stop the others.

Jobs on one target that can read the same tokens form a group (`zsadbench.engine.drive`), which cuts its work into units
(`zsadbench.engine.units`); an executor runs them, in this process or in others (`zsadbench.engine.executors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zsadbench.engine.drive.epochs import EpochLosses
from zsadbench.engine.drive.group_task import GroupTask
from zsadbench.engine.drive.reporter import Reporter
from zsadbench.engine.executors.choose import make_executor
from zsadbench.engine.machine.device import is_shortage
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.plan.done import warn_of_stale
from zsadbench.engine.plan.engines import choose_engine
from zsadbench.engine.plan.jobs import Job, Plan
from zsadbench.engine.plan.shards import default_shard
from zsadbench.engine.plan.sharing import group_jobs
from zsadbench.engine.results import Results
from zsadbench.engine.units.unit import Event, Step, Unit
from zsadbench.errors import CellError
from zsadbench.records import Record, identity

if TYPE_CHECKING:
    from zsadbench.engine.executors.executor import Executor


def run_plan(plan: Plan, reporter: Reporter | None = None) -> Results:
    """Run every job whose record lacks a class; complete jobs are skipped.

    A failure ends its class, or its job if the detector cannot be prepared; the others go on.

    Args:
        plan: from `make_plan`.
        reporter: receives the progress; None for no reports.

    Raises:
        RuntimeError: a bug; a shortage of memory is a failure of its class and is not raised.
    """
    with limited_threads():
        run = Run(plan, reporter or Reporter())
        run.reporter.start(plan)
        warn_of_stale(plan.request.out, [job.cell for job in plan.jobs])
        todo = [job for job in plan.jobs if not run.report_if_done(job)]
        if todo:
            with make_executor(plan, run.event) as executor:
                run.drive(group_jobs(todo), executor)
        order = {job.path: number for number, job in enumerate(plan.jobs)}
        run.results.records.sort(key=lambda record: order[record[0]])
        return run.results


class Run:
    """A run: the plan, the reporter, the results, and the groups that are under way."""

    def __init__(self, plan: Plan, reporter: Reporter) -> None:
        self.plan, self.reporter, self.results = plan, reporter, Results()
        self._epochs = EpochLosses()
        self._jobs = {identity(job.cell): job for job in plan.jobs}

    def drive(self, groups: Sequence[Sequence[Job]], executor: Executor) -> None:
        """Run the units of all groups; records are reported in the order of the groups."""
        flying: dict[Unit, GroupTask] = {}
        waiting, under_way = list(groups), list[GroupTask]()
        while True:
            while len(flying) < executor.slots:
                unit, group = self._next_unit(under_way)
                if unit is not None and group is not None:
                    flying[unit] = group
                    executor.submit(unit)
                elif waiting and len(under_way) <= executor.slots:
                    under_way.append(self._group(waiting.pop(0)))
                else:
                    break
            while under_way and under_way[0].finished:
                self._add_group(under_way.pop(0))
            if not flying:
                return
            unit, outcome = executor.wait()
            flying.pop(unit).take(unit, outcome)

    def _group(self, jobs: Sequence[Job]) -> GroupTask:
        """Make the task of jobs that share an encoding."""
        request, engine = self.plan.request, choose_engine(self.plan.request)
        images = request.shard or default_shard(jobs[0].setup, engine.devices[0], len(engine.devices))
        return GroupTask(self.plan, jobs, self.reporter, self.failure, images)

    @staticmethod
    def _next_unit(groups: Sequence[GroupTask]) -> tuple[Unit, GroupTask] | tuple[None, None]:
        """Return the first unit that can run now, and its group."""
        for group in groups:
            if not group.finished and (unit := group.next_unit()) is not None:
                return unit, group
        return None, None

    def _add_group(self, group: GroupTask) -> None:
        """Add the records of a group that is finished."""
        for recorder in group.recorders.values():
            if recorder.record.classes:
                self.add(recorder.job, recorder.record)
            self.results.failed += recorder.failed
            self.results.finished += not recorder.failed

    def event(self, event: Event) -> None:
        """Report what happens inside a unit."""
        if isinstance(event, Step):
            job, class_name = self._jobs[event.job], event.class_name
            self.reporter.training(job, event.done, event.total, event.loss, class_name)
            if (finished := self._epochs.add(event)) is not None:
                epoch, loss = finished
                self.reporter.epoch(job, epoch, event.epochs, loss, class_name)
        else:
            self.reporter.images(event.count)

    def report_if_done(self, job: Job) -> bool:
        """Report a job that needs no run, as its record is complete or cannot be read; return whether it is one."""
        if job.fault:
            self.results.failed += 1
            self.fail(job, "record", job.fault)
            return True
        if job.todo or job.record is None:
            return False
        self.results.skipped += 1
        self.add(job, job.record)
        return True

    def add(self, job: Job, record: Record) -> None:
        """Add a record to the results."""
        self.results.records.append((job.path, record))
        self.results.targets[job.path] = job.target
        self.reporter.record(job, record)

    def fail(self, job: Job, where: str, text: str) -> None:
        """Add a failure to the results."""
        self.results.failures.append(text)
        self.reporter.failed(job, where, text)

    def failure(self, job: Job, where: str, failure: Exception) -> None:
        """Report a failure in one line; raise a `RuntimeError` that is no shortage of memory again, as it is a bug."""
        if isinstance(failure, MemoryError | RuntimeError):
            if not is_shortage(failure):
                raise failure
            failure = CellError("out of memory; a smaller --batch-size or --image-size may help")
        self.fail(job, where, f"{job.setup.name} on {job.target.card.name}, seed {job.seed}, {where}: {failure}")
