"""Run a plan, class by class; a record is written after each class, a failure costs its class only.

Jobs on one target that can read the same tokens go through it together: each detector is made ready, then every class
is encoded once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import pandas as pd
import torch

from zsadbench.clip import Backbone
from zsadbench.data import limited
from zsadbench.engine.encode.batches import Encoding
from zsadbench.engine.encode.batching import automatic_batch
from zsadbench.engine.encode.supports import SupportTokens
from zsadbench.engine.encode.text import encode_text, release_text
from zsadbench.engine.encode.towers import DTYPES, build_towers
from zsadbench.engine.evaluate.classes import RECOVERABLE, ClassResult, Evaluation, evaluate
from zsadbench.engine.learn.detector import Trained
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.machine.memory import reset_peak
from zsadbench.engine.machine.threads import with_sane_threads
from zsadbench.engine.machine.timing import STAGES, Stopwatch
from zsadbench.engine.plan.jobs import Job, Plan
from zsadbench.engine.plan.sharing import common_taps, portions, sharings, tower_key
from zsadbench.engine.record.job import Recording
from zsadbench.records import Record
from zsadbench.types import Taps


class Reporter(Protocol):
    """Who is told how the run goes; every method may do nothing."""

    def start(self, plan: Plan) -> None:
        """The plan is made."""

    def training(self, job: Job, done: int, total: int, loss: float) -> None:
        """One optimiser step is done."""

    def trained(self, job: Job, trained: Trained) -> None:
        """The detector is ready."""

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """A class begins."""

    def images(self, count: int) -> None:
        """So many more images are scored."""

    def evaluated(self, job: Job, class_name: str) -> None:
        """A class is done, or has failed."""

    def record(self, job: Job, record: Record) -> None:
        """A record is as complete as it will get in this run."""

    def failed(self, job: Job, where: str, failure: str) -> None:
        """A class, or a whole job, failed."""


class Silent:
    """A reporter that says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@dataclass
class Results:
    """What a run left behind: records in the order of the plan, and what failed."""

    records: list[tuple[Path, Record]] = field(default_factory=list)
    finished: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def frame(self) -> pd.DataFrame:
        """The records of this run, tidy, as `zsadbench.read_results` gives them."""
        from zsadbench.records import tidy

        return tidy(self.records)


def run_plan(plan: Plan, reporter: Reporter | None = None) -> Results:
    """Run every job that has something to do; jobs that are complete are skipped.

    What fails after the plan was made fails its class or its job; the others go on.
    """
    with with_sane_threads():
        return _run(plan, reporter or cast(Reporter, Silent()))


def _run(plan: Plan, teller: Reporter) -> Results:
    run = _Run(plan, choose_device(plan.request.device), teller)
    teller.start(plan)
    todo = []
    for job in plan.jobs:
        if job.fault:
            run.results.failed += 1
            run.fail(job, "record", job.fault)
        elif not job.todo and job.record is not None:
            run.results.skipped += 1
            run.hand_out(job, job.record)
        else:
            todo.append(job)
    for group in sharings(todo):
        _Together(run, group).go()
    order = {job.path: number for number, job in enumerate(plan.jobs)}
    run.results.records.sort(key=lambda record: order[record[0]])
    return run.results


@dataclass
class _Run:
    """What all jobs have in common; the last towers are kept, since most jobs take the same."""

    plan: Plan
    device: torch.device
    teller: Reporter
    results: Results = field(default_factory=Results)
    towers: dict[tuple[Any, ...], Backbone] = field(default_factory=dict)

    def batch_size(self, jobs: Sequence[Job], backbone: Backbone) -> int:
        """As asked for, else what suits the device best."""
        taps, precision = _Together.taps(jobs), DTYPES[jobs[0].setup.precision]
        return self.plan.request.batch_size or automatic_batch(backbone, taps, precision)

    def backbone(self, job: Job) -> Backbone:
        key = tower_key(job.setup)
        if key not in self.towers:
            self.towers.clear()
            self.towers[key] = build_towers(job.setup, self.device)
        return self.towers[key]

    def hand_out(self, job: Job, record: Record) -> None:
        """A record is as complete as it will get."""
        self.results.records.append((job.path, record))
        self.teller.record(job, record)

    def fail(self, job: Job, where: str, text: str) -> None:
        self.results.failures.append(text)
        self.teller.failed(job, where, text)


@dataclass
class _Together:
    """Jobs on one target that one encoding serves."""

    run: _Run
    jobs: Sequence[Job]
    batch_size: int = 0

    def go(self) -> None:
        backbone = self.run.backbone(self.jobs[0])
        self.batch_size = self.run.batch_size(self.jobs, backbone)
        recordings = [Recording(self.run.plan, job, backbone, self.batch_size) for job in self.jobs]
        ready = [one for one in recordings if self._prepared(one)]
        release_text(backbone, [one.trained.method for one in ready])
        reset_peak(self.run.device)
        for class_name in self.jobs[0].target.classes:
            wanting = [one for one in ready if class_name in one.job.todo]
            self._class(class_name, wanting, backbone)
        for one in recordings:
            if one.record.classes:
                self.run.hand_out(one.job, one.record)
            self.run.results.failed += one.failed
            self.run.results.finished += not one.failed

    def _prepared(self, one: Recording) -> bool:
        """Make the detector of a job ready, its text features included."""
        job, teller = one.job, self.run.teller
        try:
            trained = one.learn(lambda done, total, loss: teller.training(job, done, total, loss))
            words = job.target.card.words(job.setup.name)
            encode_text(trained.method, [words[name] for name in job.todo])
        except RECOVERABLE as failure:
            self._fail(one, "training", failure)
            return False
        teller.trained(job, trained)
        one.audit()
        return True

    def _class(self, class_name: str, wanting: Sequence[Recording], backbone: Backbone) -> None:
        """Evaluate one class, with as many heads at a time as memory allows."""
        setup, target = self.jobs[0].setup, self.jobs[0].target
        rows = limited(target.manifest, class_name, setup.limit)
        pixels = len(rows) * setup.image_size**2 if target.card.pixel_level else 0
        shown = self.taps([job for job in self.jobs if job.supports] or self.jobs)
        supports = SupportTokens(backbone, setup, shown, self.run.plan.request.workers)
        for part in portions(wanting, pixels):
            for one in part:
                self.run.teller.evaluating(one.job, class_name, len(rows))
            self._part(class_name, part, self._encoding(rows, part, backbone, supports))
            for one in part:
                self.run.teller.evaluated(one.job, class_name)

    def _part(self, class_name: str, part: Sequence[Recording], encoding: Encoding) -> None:
        heads: list[tuple[Recording, Evaluation]] = []
        for one in part:
            try:
                heads.append((one, one.head(encoding, class_name, Stopwatch(self.run.device))))
            except RECOVERABLE as failure:
                self._fail(one, class_name, failure)
        outcomes = evaluate(encoding, [head for _, head in heads], self.run.teller.images)
        for (one, head), outcome in zip(heads, outcomes, strict=True):
            try:
                result = _given(outcome)
                seconds = {stage: encoding.watch.seconds[stage] + head.watch.seconds[stage] for stage in STAGES}
                one.enter(class_name, result, seconds, shared=len(heads) > 1)
            except RECOVERABLE as failure:
                self._fail(one, class_name, failure)

    @staticmethod
    def taps(jobs: Sequence[Job]) -> Taps:
        """What serves all of these jobs, which were put together because there is such a thing."""
        taps = common_taps([job.setup for job in jobs])
        assert taps is not None  # noqa: S101 - see above
        return taps

    def _encoding(
        self, rows: pd.DataFrame, part: Sequence[Recording], backbone: Backbone, supports: SupportTokens
    ) -> Encoding:
        request, first = self.run.plan.request, self.jobs[0]
        return Encoding(
            setup=first.setup,
            taps=self.taps([one.job for one in part]),
            backbone=backbone,
            target=first.target,
            rows=rows,
            batch_size=self.batch_size,
            workers=request.workers,
            image_cache=request.image_cache,
            watch=Stopwatch(self.run.device),
            supports=supports,
        )

    def _fail(self, one: Recording, where: str, failure: Exception) -> None:
        self.run.fail(one.job, where, one.explain(where, failure))


def _given(outcome: ClassResult | Exception) -> ClassResult:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
