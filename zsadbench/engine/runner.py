"""Run a plan: job by job, class by class; a record is written after each class, a failure costs its class only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, cast

import pandas as pd
import torch

from zsadbench.checkpoints import write_atomically
from zsadbench.clip import Backbone
from zsadbench.engine.cells import Setting, ledger, signature, why_not_comparable
from zsadbench.engine.cost import STAGES, Stopwatch, peak_device_mib, peak_host_mib, reset_peak
from zsadbench.engine.device import BATCH, choose_device
from zsadbench.engine.entries import enter, origin, parameters
from zsadbench.engine.evaluate import ClassResult, Evaluation, limited
from zsadbench.engine.plan import Job, Plan
from zsadbench.engine.provenance import now, provenance
from zsadbench.engine.train import Trained, build_towers, obtain
from zsadbench.errors import CellError, DataError
from zsadbench.results import Record, read_images, write_record

RECOVERABLE = (CellError, DataError, OSError, MemoryError, RuntimeError)  # torch says RuntimeError when memory is short


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
        from zsadbench.results import tidy

        return tidy(self.records)


def run_plan(plan: Plan, reporter: Reporter | None = None) -> Results:
    """Run every job that has something to do; jobs that are complete are skipped.

    What fails after the plan was made fails its class or its job; the others go on.
    """
    teller: Reporter = reporter or cast(Reporter, Silent())
    device = choose_device(plan.request.device)
    results = Results()
    teller.start(plan)
    towers: dict[tuple[Any, ...], Backbone] = {}
    for job in plan.jobs:
        if job.fault:
            results.failed += 1
            results.failures.append(job.fault)
            teller.failed(job, "record", job.fault)
        elif not job.todo and job.record is not None:
            results.skipped += 1
            results.records.append((job.path, job.record))
            teller.record(job, job.record)
        else:
            _Runner(plan, job, device, teller, results).run(towers)
    return results


def _backbone(setting: Setting, device: torch.device, towers: dict[tuple[Any, ...], Backbone]) -> Backbone:
    """The towers of a setting; the last ones are kept, since most jobs of a run share them."""
    taps = setting.method.card.taps(setting.method.options)
    key = (setting.spec, setting.image_size, taps.activation, taps.position)
    if key not in towers:
        towers.clear()
        towers[key] = build_towers(setting, device)
    return towers[key]


@dataclass
class _Runner:
    """One job on its way."""

    plan: Plan
    job: Job
    device: torch.device
    teller: Reporter
    results: Results
    train_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.record = self.job.record or self._new_record()
        self.images = read_images(self.job.path) if self.job.record is not None else None

    def run(self, towers: dict[tuple[Any, ...], Backbone]) -> None:
        started, failures = now(), len(self.results.failures)
        backbone = _backbone(self.job.setting, self.device, towers)
        try:
            trained = self._trained(backbone)
        except RECOVERABLE as failure:
            self._fail("training", failure)
        else:
            reset_peak(self.device)
            whence = origin(trained, self.job)
            for class_name in self.job.todo:
                self._class(class_name, trained, backbone, {"started": started, **whence})
                self.teller.evaluated(self.job, class_name)
        if self.record.classes:
            self.results.records.append((self.job.path, self.record))
            self.teller.record(self.job, self.record)
        if len(self.results.failures) > failures:
            self.results.failed += 1
        else:
            self.results.finished += 1

    def _trained(self, backbone: Backbone) -> Trained:
        request = self.plan.request
        start = perf_counter()
        trained = obtain(
            self.job.setting,
            backbone,
            self.job.aux,
            self.job.seed,
            workers=request.workers,
            on_step=lambda done, total, loss: self.teller.training(self.job, done, total, loss),
        )
        self.train_seconds = perf_counter() - start if trained.first_loss is not None else 0.0
        self.teller.trained(self.job, trained)
        return trained

    def _new_record(self) -> Record:
        cell = self.job.cell
        reasons = why_not_comparable(cell, self.job.setting, self.job.target)
        return Record(
            cell=cell,
            expected=list(self.job.target.classes),
            comparable=not reasons,
            not_comparable_because=reasons,
            ledger=ledger(self.job.aux, self.job.target),
            signature=signature(cell, self.job.setting.spec.weights.label),
        )

    def _class(self, class_name: str, trained: Trained, backbone: Backbone, whence: dict[str, Any]) -> None:
        """Evaluate one class and write the record with it; what fails leaves the record as it was."""
        watch = Stopwatch(self.device)
        evaluation = self._evaluation(trained, backbone, watch)
        total = len(limited(self.job.target.manifest, class_name, self.job.setting.limit))
        self.teller.evaluating(self.job, class_name, total)
        try:
            result = evaluation.evaluate(class_name, self.teller.images)
            record = enter(self.record, class_name, result)
            costs = self._cost(record.cost, class_name, len(result.images), watch)
            record.cost = costs | parameters(trained, backbone)
            record.provenance = provenance(self.device) | whence
            self._write(record, class_name, result)
        except RECOVERABLE as failure:
            self._fail(class_name, failure)

    def _evaluation(self, trained: Trained, backbone: Backbone, watch: Stopwatch) -> Evaluation:
        request = self.plan.request
        return Evaluation(
            setting=self.job.setting,
            method=trained.method,
            backbone=backbone,
            target=self.job.target,
            metrics=self.plan.metrics,
            batch_size=request.batch_size or BATCH[self.device.type],
            workers=request.workers,
            maps_folder=self.job.path.with_suffix(".maps") if request.save_maps else None,
            watch=watch,
        )

    def _write(self, record: Record, class_name: str, result: ClassResult) -> None:
        """Write the record with its images, those of this class in place of older ones; then it is the record."""
        path, new = self.job.path, pd.DataFrame(result.images)
        old = self.images
        images = new if old is None else pd.concat([old[old["class"] != class_name], new], ignore_index=True)
        if self.plan.request.save_maps:
            scores = images[["path", "score"]].to_csv(index=False)
            write_atomically(path.with_suffix(".maps") / "scores.csv", scores.encode())
        write_record(path, record, images)
        self.record, self.images = record, images

    def _cost(self, before: dict[str, Any], class_name: str, count: int, watch: Stopwatch) -> dict[str, Any]:
        """Seconds by stage and class summed over the classes of this record, and the peaks so far."""
        by_class = {**before.get("by_class", {}), class_name: {stage: watch.seconds[stage] for stage in STAGES}}
        images = {**before.get("images", {}), class_name: count}
        seconds = {stage: sum(one[stage] for one in by_class.values()) for stage in STAGES}
        forward = seconds["tower"] + seconds["head"] + seconds["map"]
        return {
            "seconds": seconds,
            "seconds_training": self.train_seconds or before.get("seconds_training", 0.0),
            "by_class": by_class,
            "images": images,
            "images_per_second": sum(images.values()) / forward if forward else None,
            "peak_host_mib": peak_host_mib(),
            "peak_device_mib": peak_device_mib(self.device),
            "batch_size": self.plan.request.batch_size or BATCH[self.device.type],
            "shared": False,
        }

    def _fail(self, where: str, failure: BaseException) -> None:
        if isinstance(failure, MemoryError | RuntimeError):
            if "memory" not in str(failure).lower() and not isinstance(failure, MemoryError):
                raise failure  # a bug, not a shortage
            failure = CellError("out of memory; a smaller --batch-size or --image-size may help")
        text = f"{self.job.setting.name} on {self.job.target.card.name}, seed {self.job.seed}, {where}: {failure}"
        self.results.failures.append(text)
        self.teller.failed(self.job, where, text)
