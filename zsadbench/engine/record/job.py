"""Prepare the detector of one job, make its head for every class, and record the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from zsadbench.engine.encode.supports import fit_memory
from zsadbench.engine.encode.text import encode_text_of_classes
from zsadbench.engine.evaluate.classes import Head
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.evaluate.thresholds import Thresholds, find_thresholds
from zsadbench.engine.learn.detector import Detector, train_or_load
from zsadbench.engine.machine.memory import peak_device_mib, peak_host_mib
from zsadbench.engine.plan.cell import signature, why_not_comparable
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.plan.sharing import co_trained_taps
from zsadbench.engine.record import leakage
from zsadbench.engine.record.entries import origin, parameters
from zsadbench.engine.record.provenance import now, provenance
from zsadbench.engine.record.writer import RecordWriter
from zsadbench.records import Record
from zsadbench.records.stages import FORWARD_STAGES, STAGES

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.encode.batches import ClassImages
    from zsadbench.engine.encode.supports import SupportTokens
    from zsadbench.engine.plan.jobs import Job, Plan

OnStep = Callable[[int, int, float], None]  # steps done, all steps, loss


class JobRecorder:
    """One job of a run: its detector, its head for a class, and its record.

    `failure` is set if the job as a whole failed, `failed` also if one of its classes did.
    """

    def __init__(self, plan: Plan, job: Job, backbone: Backbone, batch_size: int) -> None:
        self.plan, self.job, self.backbone, self.batch_size = plan, job, backbone, batch_size
        label = signature(job.cell, job.setup.spec.weights.label)
        new = Record(cell=job.cell, expected=list(job.target.classes), signature=label)
        overwrite = plan.request.overwrite == "always"
        self.writer = RecordWriter(job.path, job.target, plan.metrics, job.record, new, overwrite=overwrite)
        self.failure: Exception | None = None
        self.failed = False
        self.thresholds = Thresholds()
        self._detector: Detector | None = None
        self._area_quartiles: list[float] | None = None
        self._train_seconds = 0.0
        self._origin: dict[str, Any] = {}
        self._text_failures: Mapping[str, Exception] = {}

    @property
    def record(self) -> Record:
        """The record with the classes so far."""
        return self.writer.record

    @property
    def detector(self) -> Detector:
        """The detector, once `prepare` has made it."""
        assert self._detector is not None  # noqa: S101 - `prepare` comes first
        return self._detector

    def prepare(self, on_step: OnStep) -> Detector:
        """Train or load the detector, find its thresholds if a metric needs them, and encode the class names.

        Args:
            on_step: called with (steps done, all steps, loss) of a training.

        Raises:
            CellError, DataError, WeightsError, UsageError: as `train_or_load` and `find_thresholds`.
        """
        job, request, started, start = self.job, self.plan.request, now(), perf_counter()
        detector = train_or_load(
            job.setup,
            self.backbone,
            job.aux,
            job.seed,
            workers=request.workers,
            image_cache=request.image_cache,
            token_cache=request.token_cache,
            co_trained=co_trained_taps(job, self.plan.jobs),
            on_step=on_step,
        )
        self._train_seconds = perf_counter() - start if detector.first_loss is not None else 0.0
        self.thresholds = find_thresholds(self.plan, job, detector.method, self.backbone, self.batch_size)
        self._origin = {"started": started, **origin(detector, job)}
        self._origin |= {"thresholds": asdict(self.thresholds)} if self.thresholds.aux else {}
        words = job.target.card.words(job.setup.name)
        self._text_failures = encode_text_of_classes(
            detector.method, {name: words[name] for name in job.todo}, job.setup.name
        )
        setup = job.setup
        self._area_quartiles = self.writer.area_quartiles(setup.protocol, setup.map_side, request.workers)
        self._detector = detector
        return detector

    def check_leakage(self) -> None:
        """Grade the leakage of a new record, and note why its numbers are not comparable with published ones."""
        record, job = self.record, self.job
        if not record.ledger:
            record.ledger = leakage.check(job, self.plan.request)
            leak = leakage.leak_of(record.ledger)
            record.not_comparable_because = why_not_comparable(job.cell, job.target.card, job.setup, leak=leak)
            record.comparable = not record.not_comparable_because

    def head(
        self, images: ClassImages, class_name: str, supports: SupportTokens, on_step: OnStep
    ) -> Head[ClassMeasurement]:
        """Make the head of this job on one class; where the text of the class could not be encoded, it has failed.

        `on_step` is called with (steps done, all steps, loss) of a training on the supports of the class.
        """
        setup, target, method, request = self.job.setup, self.job.target, self.detector.method, self.plan.request
        measurement = ClassMeasurement(
            self.plan.metrics,
            images.rows,
            masked=target.card.pixel_level,
            pixels=images.pixels,
            area_quartiles=self._area_quartiles,
            thresholds=self.thresholds,
        )
        few_shot = self.job.supports is not None
        head = Head(
            scorer=Scorer.of(setup, method, self.backbone.device, target.card.name, few_shot=few_shot),
            measurement=measurement,
            taps=taps_of(setup),
            class_word=target.card.words(setup.name)[class_name],
            maps_folder=self.job.path.with_suffix(".maps") if request.save_maps else None,
            failure=self._text_failures.get(class_name),
            step=setup.step_taken(few_shot=few_shot),
        )
        if chosen := self.job.supports:
            remember = partial(fit_memory, method, supports, setup, chosen.rows[class_name], chosen.files)
            learns = setup.on_supports
            head.fit_memory = partial(self._learn_class, class_name, on_step, remember) if learns else remember
        return head

    def _learn_class(self, class_name: str, on_step: OnStep, remember: Callable[[], None]) -> None:
        """Give the detector the parameters of one class, trained on its support images, and their memory.

        Raises:
            CellError, DataError: as `train_or_load` and `fit_memory`.
        """
        job, request, supports, start = self.job, self.plan.request, self.job.supports, perf_counter()
        assert supports is not None  # noqa: S101 - only called where there are
        learned = train_or_load(
            job.setup,
            self.backbone,
            supports.of_class(class_name),
            job.seed,
            workers=request.workers,
            image_cache=request.image_cache,
            on_step=on_step,
        )
        self.detector.take_parameters(learned)
        self._train_seconds += perf_counter() - start if learned.first_loss is not None else 0.0
        before = self.record.provenance.get("checkpoints", {}) | self._origin.get("checkpoints", {})
        self._origin["checkpoints"] = before | {class_name: learned.checkpoint.name if learned.checkpoint else None}
        remember()

    def add_class(self, class_name: str, head: Head[ClassMeasurement], images: ClassImages, *, shared: bool) -> None:
        """Compute the metrics of one class and write the record with them; a failure leaves the record as it was.

        Args:
            class_name: the class.
            head: the head of this job, which has counted all batches.
            images: of the class; the time of a shared encoding counts in full for every job.
            shared: whether other jobs share the encoding, so that the cost is not that of this job alone.
        """
        with head.scorer.watch.stage("metrics"):
            target = self.job.target
            counts = {**images.mask_counts, "left_out": target.left_out_of(class_name)}
            result = head.measurement.result(target.skipped.get(class_name, 0), counts)
        encoding, scoring = images.watch.seconds, head.scorer.watch.seconds
        seconds = {stage: encoding[stage] + scoring[stage] for stage in STAGES}
        shared_encoder = not taps_of(self.job.setup).own_encoding and self.backbone.vision.blocks
        compiled = {"compiled": self.job.setup.compiling} if shared_encoder and shared_encoder.compiled else {}
        made_with = provenance(self.backbone.device) | self._origin | compiled
        scores_file = self.job.path.with_suffix(".maps") / "scores.csv" if self.plan.request.save_maps else None
        with self.writer.lock():
            before = self.record.cost
            cost = self._cost(before, class_name, len(result.images), seconds)
            cost |= {"shared": shared or bool(before.get("shared"))} | parameters(self.detector, self.backbone)
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
            **self._training_cost(before),
            "by_class": by_class,
            "images": images,
            "images_per_second": sum(images.values()) / forward if forward else None,
            "peak_host_mib": peak_host_mib(),
            "peak_device_mib": peak_device_mib(self.backbone.device),
            "batch_size": self.batch_size,
        }

    def _training_cost(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cost of a training in this run, else that of an earlier run from the record."""
        if self.job.setup.on_supports:  # trainings of several classes, in this run or in earlier ones
            seconds, self._train_seconds = self._train_seconds, 0.0
            return {"seconds_training": before.get("seconds_training", 0.0) + seconds}
        if not self._train_seconds:
            return {"seconds_training": before.get("seconds_training", 0.0)} | {
                name: before[name] for name in ("tokens_encoded", "tokens_remembered") if name in before
            }
        counts = {"tokens_encoded": self.detector.encoded, "tokens_remembered": self.detector.cached}
        return {"seconds_training": self._train_seconds, **counts}
