"""Run a plan class by class: each record is written after every class, and a class that fails does not stop the others.

Jobs on one target that can read the same tokens form a group: their detectors are prepared, then every class is encoded
once for all of them. The loop over batches is in `zsadbench.engine.evaluate.classes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import pandas as pd

from zsadbench.clip import Backbone
from zsadbench.data import limited
from zsadbench.engine.encode.batches import ClassImages
from zsadbench.engine.encode.batching import automatic_batch
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.supports import SupportTokens
from zsadbench.engine.encode.text import release_text
from zsadbench.engine.encode.towers import DTYPES, build_towers
from zsadbench.engine.evaluate.classes import evaluate_class, keep_failure
from zsadbench.engine.learn.detector import Detector
from zsadbench.engine.machine.device import choose_device, is_shortage
from zsadbench.engine.machine.memory import reset_peak
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.machine.timing import Stopwatch
from zsadbench.engine.plan.done import warn_of_stale
from zsadbench.engine.plan.jobs import Job, Plan
from zsadbench.engine.plan.sharing import common_taps, group_jobs, memory_chunks, tower_key
from zsadbench.engine.record.job import JobRecorder
from zsadbench.errors import CellError, UsageError, WeightsError
from zsadbench.records import Record, tidy
from zsadbench.types import Taps


class Reporter(Protocol):
    """Receives the progress of a run; every method may do nothing."""

    def start(self, plan: Plan) -> None:
        """The plan is made."""

    def training(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:
        """One optimiser step is done, of a training on the support images of a class if there is one."""

    def trained(self, job: Job, detector: Detector) -> None:
        """The detector is ready: trained or loaded."""

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """A class of `total` images begins."""

    def images(self, count: int) -> None:
        """`count` more images are scored."""

    def evaluated(self, job: Job, class_name: str) -> None:
        """A class is done, or has failed."""

    def record(self, job: Job, record: Record) -> None:
        """A record is finished, as far as this run completes it."""

    def failed(self, job: Job, where: str, failure: str) -> None:
        """A class, or a whole job, failed."""


class Silent:
    """A reporter that does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@dataclass
class Results:
    """The result of a run: records in the order of the plan, and what failed."""

    records: list[tuple[Path, Record]] = field(default_factory=list)
    finished: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def frame(self) -> pd.DataFrame:
        """Return the records of this run as a tidy frame, as `zsadbench.read_results` does."""
        return tidy(self.records)


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
        run = Run(plan, reporter or cast(Reporter, Silent()))
        run.reporter.start(plan)
        warn_of_stale(plan.request.out, [job.cell for job in plan.jobs])
        todo = [job for job in plan.jobs if not run.report_if_done(job)]
        for jobs in group_jobs(todo):
            try:
                group = JobGroup(run, jobs)
            except (MemoryError, RuntimeError) as failure:
                run.fail_all(jobs, failure)
            else:
                group.run()
        order = {job.path: number for number, job in enumerate(plan.jobs)}
        run.results.records.sort(key=lambda record: order[record[0]])
        return run.results


class Run:
    """What all jobs of a run share: the plan, the reporter, the results, and the encoders of the last job."""

    def __init__(self, plan: Plan, reporter: Reporter) -> None:
        self.plan, self.reporter, self.results = plan, reporter, Results()
        self.device = choose_device(plan.request.device)
        self._towers: dict[tuple[Any, ...], Backbone] = {}

    def backbone(self, job: Job) -> Backbone:
        """Return the encoders of a job: those of the last job if it used the same ones, else new ones."""
        key = tower_key(job.setup)
        if key not in self._towers:
            self._towers.clear()
            self._towers[key] = build_towers(job.setup, self.device)
        return self._towers[key]

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
        self.reporter.record(job, record)

    def fail(self, job: Job, where: str, text: str) -> None:
        """Add a failure to the results."""
        self.results.failures.append(text)
        self.reporter.failed(job, where, text)

    def fail_all(self, jobs: Sequence[Job], failure: Exception) -> None:
        """Report that jobs failed, as their encoders cannot be built."""
        for job in jobs:
            self.results.failed += 1
            self.report_failure(job, "preparation", failure)

    def report_failure(self, job: Job, where: str, failure: Exception) -> None:
        """Report a failure in one line; raise a `RuntimeError` that is no shortage of memory again, as it is a bug."""
        if isinstance(failure, MemoryError | RuntimeError):
            if not is_shortage(failure):
                raise failure
            failure = CellError("out of memory; a smaller --batch-size or --image-size may help")
        self.fail(job, where, f"{job.setup.name} on {job.target.card.name}, seed {job.seed}, {where}: {failure}")


class JobGroup:
    """Jobs on one target that share one image encoding; a method that encodes images itself is a group of its own."""

    def __init__(self, run: Run, jobs: Sequence[Job]) -> None:
        self.shared, self.jobs, self.backbone = run, jobs, run.backbone(jobs[0])
        setup, request = jobs[0].setup, run.plan.request
        precision = DTYPES[setup.precision]
        self.batch_size = request.batch_size or automatic_batch(self.backbone, union_of_taps(jobs), precision)

    def run(self) -> None:
        """Prepare the detectors, evaluate every class, and add the records to the results."""
        run, target = self.shared, self.jobs[0].target
        recorders = [JobRecorder(run.plan, job, self.backbone, self.batch_size) for job in self.jobs]
        for recorder in recorders:
            self._prepare(recorder)
        ready = [recorder for recorder in recorders if recorder.failure is None]
        release_text(self.backbone, [recorder.detector.method for recorder in ready])
        reset_peak(run.device)
        for class_name in target.classes:
            self._evaluate(class_name, [recorder for recorder in ready if class_name in recorder.job.todo])
        for recorder in recorders:
            if recorder.record.classes:
                run.add(recorder.job, recorder.record)
            run.results.failed += recorder.failed
            run.results.finished += not recorder.failed

    def _prepare(self, recorder: JobRecorder) -> None:
        """Prepare the detector of a job; a failure is reported and ends the job.

        Raises:
            UsageError, WeightsError: an option or the checkpoint does not fit, and no other method runs.
        """
        job, reporter = recorder.job, self.shared.reporter
        with keep_failure(recorder):
            try:
                detector = recorder.prepare(lambda done, total, loss: reporter.training(job, done, total, loss))
            except (UsageError, WeightsError) as failure:
                if len(self.shared.plan.request.methods) == 1:
                    raise
                raise CellError(str(failure)) from failure
        if recorder.failure is not None:
            self._report_failure(recorder, "training" if job.aux else "preparation", recorder.failure)
            return
        reporter.trained(job, detector)
        recorder.check_leakage()

    def _evaluate(self, class_name: str, recorders: Sequence[JobRecorder]) -> None:
        """Evaluate one class with the heads of all jobs, as many at a time as fit into memory."""
        if not recorders:
            return
        setup, target, request = self.jobs[0].setup, self.jobs[0].target, self.shared.plan.request
        rows = limited(target.manifest, class_name, setup.limit)
        pixels = len(rows) * setup.map_side**2 if target.card.pixel_level else 0
        word, method = target.card.words(setup.name)[class_name], recorders[0].detector.method
        few_shot = union_of_taps([job for job in self.jobs if job.supports] or self.jobs)
        encode = make_encoder(setup, self.backbone, method, few_shot)
        supports = SupportTokens(setup, few_shot, encode, word, self.backbone, request.workers)
        for chunk in memory_chunks(recorders, pixels):
            for recorder in chunk:
                self.shared.reporter.evaluating(recorder.job, class_name, len(rows))
            taps = union_of_taps([recorder.job for recorder in chunk])
            images = ClassImages(
                setup=setup,
                taps=taps,
                encode=make_encoder(setup, self.backbone, method, taps),
                class_word=word,
                backbone=self.backbone,
                target=target,
                rows=rows,
                batch_size=self.batch_size,
                workers=request.workers,
                image_cache=request.image_cache,
                watch=Stopwatch(self.shared.device),
            )
            self._evaluate_chunk(class_name, chunk, images, supports)
            for recorder in chunk:
                self.shared.reporter.evaluated(recorder.job, class_name)

    def _evaluate_chunk(
        self, class_name: str, chunk: Sequence[JobRecorder], images: ClassImages, supports: SupportTokens
    ) -> None:
        """Evaluate one class with the heads of these jobs together, and write the record of each."""
        heads = [
            recorder.head(images, class_name, supports, partial(self._on_class_step, recorder.job, class_name))
            for recorder in chunk
        ]
        evaluate_class(images, heads, self.shared.reporter.images)
        for recorder, head in zip(chunk, heads, strict=True):
            if head.failure is None:
                with keep_failure(head):
                    recorder.add_class(class_name, head, images, shared=len(chunk) > 1)
            if head.failure is not None:
                self._report_failure(recorder, class_name, head.failure)

    def _on_class_step(self, job: Job, class_name: str, done: int, total: int, loss: float) -> None:
        """Report a step of a training on the support images of a class."""
        self.shared.reporter.training(job, done, total, loss, class_name)

    def _report_failure(self, recorder: JobRecorder, where: str, failure: Exception) -> None:
        """Report a failure of a class or of the preparation; raises what `Run.report_failure` raises."""
        self.shared.report_failure(recorder.job, where, failure)
        recorder.failed = True


def union_of_taps(jobs: Sequence[Job]) -> Taps:
    """Return the union of the taps of jobs in one group; `group_jobs` made sure that it exists."""
    taps = common_taps([job.setup for job in jobs])
    assert taps is not None  # noqa: S101 - see the docstring
    return taps
