"""The record of one job: what its classes add to it, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.plan.cell import signature, why_not_comparable
from zsadbench.engine.plan.jobs import metrics_of
from zsadbench.engine.record import leakage
from zsadbench.engine.record.facts import Facts, Preparation
from zsadbench.engine.record.job import measurement_of
from zsadbench.engine.record.provenance import provenance
from zsadbench.engine.record.writer import RecordWriter
from zsadbench.records import Record
from zsadbench.records.stages import FORWARD_STAGES, STAGES

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.engine.plan.jobs import Job, Plan


class JobRecorder:
    """One job of a run and its record, in the process that writes it.

    `failure` is set if the job as a whole failed, `failed` also if one of its classes did. `batch_size` is that of the
    evaluation. `retried` lists what was done a second time, for the provenance.
    """

    def __init__(self, plan: Plan, job: Job) -> None:
        self.plan, self.job = plan, job
        label = signature(job.cell, job.setup.spec.weights.label)
        new = Record(cell=job.cell, expected=list(job.target.classes), signature=label)
        overwrite, metrics = plan.request.overwrite == "always", metrics_of(plan.metrics, job.target.card)
        self.writer = RecordWriter(job.path, job.target, metrics, job.record, new, overwrite=overwrite)
        self.failure: Exception | None = None
        self.failed = False
        self.batch_size = 1
        self.retried: list[dict[str, Any]] = []
        self._preparation: Preparation | None = None

    @property
    def record(self) -> Record:
        """The record with the classes so far."""
        return self.writer.record

    @property
    def preparation(self) -> Preparation:
        """What is known of the detector, once `prepared` was called."""
        assert self._preparation is not None  # noqa: S101 - `prepared` comes first
        return self._preparation

    def prepared(self, preparation: Preparation) -> None:
        """Take note that the detector is ready, and grade the leakage of a new record."""
        self._preparation = preparation
        self.writer.keep_quartiles(preparation.area_quartiles)
        record, job = self.record, self.job
        if not record.ledger:
            record.ledger = leakage.check(job, self.plan.request)
            leak = leakage.leak_of(record.ledger)
            record.not_comparable_because = why_not_comparable(job.cell, job.target.card, job.setup, leak=leak)
            record.comparable = not record.not_comparable_because

    def measurement(self, rows: pd.DataFrame) -> ClassMeasurement:
        """Make the measurement of a class with these rows, to which the shards of the class are added."""
        known = self.preparation
        return measurement_of(
            self.job, self.plan.metrics, rows, area_quartiles=known.area_quartiles, thresholds=known.thresholds
        )

    def add_class(self, class_name: str, measurement: ClassMeasurement, facts: Facts, *, shared: bool) -> None:
        """Compute the metrics of one class and write the record with them; a failure leaves the record as it was.

        A finishing step is taken first, if the protocol allows it.

        Args:
            class_name: the class.
            measurement: of all its images.
            facts: of all its images.
            shared: whether other jobs share the encoding, so that the cost is not that of this job alone.
        """
        start, target, setup = perf_counter(), self.job.target, self.job.setup
        step = setup.step_taken(few_shot=self.job.supports is not None)
        if step is not None and not step.whole_class:
            measurement.finish(step)
        counts = {**facts.mask_counts, "left_out": target.left_out_of(class_name)}
        result = measurement.result(target.skipped.get(class_name, 0), counts)
        seconds = {**facts.seconds, "metrics": facts.seconds["metrics"] + perf_counter() - start}
        made_with = provenance(facts.machine) | dict(self.preparation.origin)
        made_with |= {"retried": self.retried} if self.retried else {}
        scores_file = self.job.path.with_suffix(".maps") / "scores.csv" if self.plan.request.save_maps else None
        with self.writer.lock():
            before = self.record.cost
            if facts.learned:
                earlier = self.record.provenance.get("checkpoints", {})
                made_with["checkpoints"] = earlier | {class_name: facts.learned["checkpoint"]}
            cost = self._cost(before, class_name, len(result.images), seconds) | {
                **self._training_cost(before, facts),
                "peak_host_mib": facts.peak_host_mib,
                "peak_device_mib": facts.peak_device_mib,
                "batch_size": self.batch_size,
                "shared": shared or bool(before.get("shared")),
                **self.preparation.parameters,
            }
            self.writer.add_class(class_name, result, cost, made_with, scores_file)

    def _cost(
        self, before: Mapping[str, Any], class_name: str, count: int, seconds: Mapping[str, float]
    ) -> dict[str, Any]:
        """Return the cost of a record: seconds by stage and class, their sum, images per second, peak memory in MiB."""
        by_class = {**before.get("by_class", {}), class_name: {stage: seconds[stage] for stage in STAGES}}
        images = {**before.get("images", {}), class_name: count}
        total = {stage: sum(times[stage] for times in by_class.values()) for stage in STAGES}
        forward = sum(total[stage] for stage in FORWARD_STAGES)
        return {
            "seconds": total,
            "by_class": by_class,
            "images": images,
            "images_per_second": sum(images.values()) / forward if forward else None,
        }

    def _training_cost(self, before: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
        """Return the cost of a training in this run, else that of an earlier run from the record."""
        if facts.learned:  # trainings of several classes, in this run or in earlier ones
            return {"seconds_training": before.get("seconds_training", 0.0) + facts.learned["seconds"]}
        if self.preparation.training:
            return dict(self.preparation.training)
        return {"seconds_training": before.get("seconds_training", 0.0)} | {
            name: before[name] for name in ("tokens_encoded", "tokens_remembered") if name in before
        }
