"""Run units of work in one process, which keeps encoders and detectors for the next unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch

from zsadbench.data import limited
from zsadbench.engine.encode.batches import ClassImages
from zsadbench.engine.encode.batching import automatic_batch
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.supports import SupportTokens
from zsadbench.engine.encode.text import release_text
from zsadbench.engine.encode.towers import DTYPES, build_towers
from zsadbench.engine.evaluate.classes import RECOVERABLE, Head, evaluate_class, keep_failure
from zsadbench.engine.machine.device import is_shortage
from zsadbench.engine.machine.memory import reset_peak
from zsadbench.engine.machine.timing import Stopwatch
from zsadbench.engine.plan.sharing import tower_key, union_of_taps
from zsadbench.engine.record.job import PreparedJob
from zsadbench.engine.units.deadline import deadline
from zsadbench.engine.units.shard_files import ShardFiles
from zsadbench.engine.units.unit import Event, Images, Prepare, Prepared, Score, Scored, ShardOfJob, Step, Unit
from zsadbench.errors import CellError, UsageError, WeightsError
from zsadbench.records import identity

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.evaluate.measure import ClassMeasurement
    from zsadbench.engine.learn.loop import OnStep
    from zsadbench.engine.plan.jobs import Job, Plan

Keeping = Literal["objects", "files", "bytes"]


class JobGroup:
    """Jobs on one target that share one image encoding; a method that encodes images itself is a group of its own."""

    def __init__(self, plan: Plan, jobs: Sequence[Job], backbone: Backbone) -> None:
        self.plan, self.jobs, self.backbone = plan, {identity(job.cell): job for job in jobs}, backbone
        setup, request = jobs[0].setup, plan.request
        precision = DTYPES[setup.precision]
        self.batch_size = request.batch_size or automatic_batch(backbone, union_of_taps(jobs), precision)
        self.prepared: dict[str, PreparedJob] = {}
        self.scoring = False
        self._supports: tuple[str, SupportTokens] | None = None

    def prepare(self, key: str, on_step: OnStep) -> PreparedJob:
        """Return a job that is prepared, or has failed to be, in this process."""
        if key not in self.prepared:
            self.prepared[key] = job = PreparedJob(self.plan, self.jobs[key], self.backbone, self.batch_size)
            with keep_failure(job):
                try:
                    job.prepare(on_step)
                except (UsageError, WeightsError) as failure:
                    job.failure = failure
        return self.prepared[key]

    def images(self, unit: Score) -> ClassImages:
        """Return the images of a unit, encoded for its jobs."""
        jobs, request = [self.jobs[key] for key in unit.jobs], self.plan.request
        setup, target, method = jobs[0].setup, jobs[0].target, self.prepared[unit.jobs[0]].detector.method
        taps = union_of_taps(jobs)
        rows = limited(target.manifest, unit.class_name, setup.limit)
        if len(rows) != unit.count:
            raise CellError(f"{unit.class_name} has {len(rows)} images here, and {unit.count} elsewhere")
        return ClassImages(
            setup=setup,
            taps=taps,
            encode=make_encoder(setup, self.backbone, method, taps),
            class_word=target.card.words(setup.name)[unit.class_name],
            backbone=self.backbone,
            target=target,
            rows=rows,
            batch_size=unit.batch_size,
            workers=request.workers,
            image_cache=request.image_cache,
            watch=Stopwatch(self.backbone.device),
            part=slice(unit.start, unit.stop),
        )

    def supports(self, unit: Score) -> SupportTokens:
        """Return the tokens of the support images of a class, which are kept until another class comes."""
        if self._supports is None or self._supports[0] != unit.class_name:
            job = self.jobs[unit.jobs[0]]
            taps = union_of_taps([job for job in self.jobs.values() if job.supports] or list(self.jobs.values()))
            word, method = job.target.card.words(job.setup.name)[unit.class_name], self.prepared[unit.jobs[0]].detector
            encode = make_encoder(job.setup, self.backbone, method.method, taps)
            workers = self.plan.request.workers
            tokens = SupportTokens(job.setup, taps, encode, word, self.backbone, workers)
            self._supports = unit.class_name, tokens
        return self._supports[1]


class Worker:
    """Runs the units of a plan, one after the other, on one device.

    Args:
        plan: of the run, or made again in another process.
        device: of the encoders.
        report: receives events while a unit runs.
        keeping: how measurements are handed over: `objects` as such where a unit is a whole class, else as files;
            `files` always as files; `bytes` as bytes, where the results lie on no disk that both processes see.
    """

    def __init__(self, plan: Plan, device: torch.device, report: Callable[[Event], None], keeping: Keeping) -> None:
        self.plan, self.device, self.report, self.keeping = plan, device, report, keeping
        self._jobs = {identity(job.cell): job for job in plan.jobs}
        self._group: tuple[tuple[str, ...], JobGroup] | None = None
        self._towers: dict[tuple[Any, ...], Backbone] = {}

    def run(self, unit: Unit) -> Prepared | Scored:
        """Run a unit; what fails is in the outcome.

        Raises:
            RuntimeError: a bug; a shortage of memory is in the outcome.
        """
        try:
            with deadline(self.plan.request.unit_timeout):
                return self._prepare(unit) if isinstance(unit, Prepare) else self._score(unit)
        except RECOVERABLE as failure:
            return unit.failed(_expected(failure))

    def _prepare(self, unit: Prepare) -> Prepared:
        group = self._group_of(unit.group)
        job = group.prepare(unit.job, partial(self._step, unit.job))
        if job.failure is not None:
            return Prepared(_expected(job.failure))
        return Prepared(None, job.preparation(), group.batch_size)

    def _score(self, unit: Score) -> Scored:
        """Score the images of a unit with the heads of all its jobs; one that fails leaves the others."""
        group = self._group_of(unit.group)
        jobs = [group.prepare(key, partial(self._step, key)) for key in unit.jobs]
        for job in jobs:
            if job.failure is not None:  # though another process has prepared it
                raise CellError(str(job.failure)) from job.failure
        if not group.scoring:
            group.scoring = True
            ready = [job for job in group.prepared.values() if job.failure is None]
            release_text(group.backbone, [job.detector.method for job in ready])
            reset_peak(self.device)
        images, supports = group.images(unit), group.supports(unit)
        steps = [partial(self._step, key, class_name=unit.class_name) for key in unit.jobs]
        heads = [job.head(images, unit.class_name, supports, step) for job, step in zip(jobs, steps, strict=True)]
        evaluate_class(images, heads, lambda count: self.report(Images(count)))
        return Scored(tuple(self._shard(unit, job, head, images) for job, head in zip(jobs, heads, strict=True)))

    def _step(self, key: str, done: int, total: int, loss: float, epochs: int, *, class_name: str = "") -> None:
        """Report a step of a training."""
        self.report(Step(key, done, total, loss, epochs, class_name))

    def _shard(self, unit: Score, job: PreparedJob, head: Head[ClassMeasurement], images: ClassImages) -> ShardOfJob:
        """Hand over what one head has measured."""
        if head.failure is None:
            with keep_failure(head):
                facts = job.facts(head, images)
                if self.keeping == "objects" and unit.whole:
                    return ShardOfJob(facts=facts, measurement=head.measurement)
                files = ShardFiles(self.plan, job.job, unit.class_name, unit.count, unit.batch_size)
                span, state = (unit.start, unit.stop), head.measurement.state()
                if self.keeping == "bytes":
                    return ShardOfJob(facts=facts, content=files.content(span, facts, state))
                files.write(span, facts, state)
                return ShardOfJob(facts=facts)
        assert head.failure is not None  # noqa: S101 - the block above returns, or has failed
        return ShardOfJob(failure=_expected(head.failure))

    def _group_of(self, keys: tuple[str, ...]) -> JobGroup:
        """Return the group of these jobs; the last one is kept, and so are its encoders if another one has the same.

        Raises:
            CellError: a job is not in the plan of this process.
        """
        if self._group is None or self._group[0] != keys:
            self._group = None
            unknown = [key for key in keys if key not in self._jobs]
            if unknown:
                raise CellError("data, weights or code here are not those of the process that drives the run")
            jobs = [self._jobs[key] for key in keys]
            self._group = keys, JobGroup(self.plan, jobs, self._backbone(jobs[0]))
        return self._group[1]

    def _backbone(self, job: Job) -> Backbone:
        """Return the encoders of a job: those of the last job if it used the same ones, else new ones."""
        key = tower_key(job.setup)
        if key not in self._towers:
            self._towers.clear()
            self._towers[key] = build_towers(job.setup, self.device)
        return self._towers[key]


def with_classes(plan: Plan, todo: dict[str, tuple[str, ...]]) -> Plan:
    """Return a plan whose jobs have these classes to do, by identity: those of the process that drives the run."""
    jobs = (replace(job, todo=todo.get(identity(job.cell), ())) for job in plan.jobs)
    return replace(plan, jobs=tuple(jobs))


def _expected(failure: Exception) -> Exception:
    """Return a failure that costs its class or its job; raise a `RuntimeError` that is no shortage of memory again."""
    if is_shortage(failure):
        return MemoryError(str(failure))
    if isinstance(failure, RuntimeError):
        raise failure
    return failure
