"""Prepare the detector of one job, and make its head for every class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from zsadbench.engine.encode.supports import fit_memory
from zsadbench.engine.encode.text import encode_text_of_classes
from zsadbench.engine.evaluate.classes import Head
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.evaluate.normal_thresholds import with_normal_thresholds
from zsadbench.engine.evaluate.region_quartiles import quartiles_of
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.evaluate.thresholds import Thresholds, find_thresholds
from zsadbench.engine.learn.detector import Detector, train_or_load
from zsadbench.engine.machine.memory import peak_device_mib, peak_host_mib
from zsadbench.engine.plan.jobs import metrics_of
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.plan.sharing import co_trained_taps
from zsadbench.engine.record.entries import origin, parameters
from zsadbench.engine.record.facts import Facts, Preparation
from zsadbench.engine.record.provenance import machine_of, now
from zsadbench.records import identity
from zsadbench.records.sidecars import read_sidecars
from zsadbench.records.stages import STAGES

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.clip import Backbone
    from zsadbench.engine.encode.batches import ClassImages
    from zsadbench.engine.encode.supports import SupportTokens
    from zsadbench.engine.learn.loop import OnStep
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.metrics import MetricName


class PreparedJob:
    """One job of a run in the process that scores it: its detector, and its head for a class.

    `failure` is set if the job cannot be prepared.
    """

    def __init__(self, plan: Plan, job: Job, backbone: Backbone, batch_size: int) -> None:
        self.plan, self.job, self.backbone, self.batch_size = plan, job, backbone, batch_size
        self.failure: Exception | None = None
        self.thresholds = Thresholds()
        self._detector: Detector | None = None
        self._area_quartiles: list[float] | None = None
        self._train_seconds = 0.0
        self._origin: dict[str, Any] = {}
        self._learned: dict[str, Any] = {}  # of the class that is scored, trained on its supports
        self._text_failures: Mapping[str, Exception] = {}

    @property
    def detector(self) -> Detector:
        """The detector, once `prepare` has made it."""
        assert self._detector is not None  # noqa: S101 - `prepare` comes first
        return self._detector

    def prepare(self, on_step: OnStep) -> Detector:
        """Train or load the detector, find its thresholds if a metric needs them, and encode the class names.

        Args:
            on_step: called with (steps done, all steps, loss, epochs) of a training.

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
        self._train_seconds += detector.earlier_seconds
        ready, size = (self.plan, job, detector.method, self.backbone), self.batch_size
        self.thresholds = with_normal_thresholds(find_thresholds(*ready, size), *ready, batch_size=size)
        self._origin = {"started": started, **origin(detector, job)}
        self._origin |= {"thresholds": asdict(self.thresholds)} if self.thresholds.found else {}
        words = job.target.card.words(job.setup.name)
        self._text_failures = encode_text_of_classes(
            detector.method, {name: words[name] for name in job.todo}, job.setup.name
        )
        self._area_quartiles = self._quartiles_of_target()
        self._detector = detector
        return detector

    def _quartiles_of_target(self) -> list[float] | None:
        """Return the quartiles of region area of the target: those of the record that is continued, if it has some."""
        job, setup = self.job, self.job.setup
        if not job.target.card.pixel_level:
            return None
        known = read_sidecars(job.path, identity(job.cell)).area_quartiles if job.record is not None else None
        return known or quartiles_of(job.target, setup.protocol, setup.map_side, self.plan.request.workers)

    def preparation(self) -> Preparation:
        """Return what the record needs to know of the detector.

        Raises:
            CellError: the method fails.
        """
        detector = self.detector
        training: dict[str, Any] = {}
        if detector.first_loss is not None:
            training = {"seconds_training": self._train_seconds}
            training |= {"tokens_encoded": detector.encoded, "tokens_remembered": detector.cached}
        return Preparation(
            detector.checkpoint,
            detector.first_loss,
            self.thresholds,
            self._area_quartiles,
            self._origin,
            training,
            parameters(self.job.setup, detector.method, self.backbone),
        )

    def head(
        self, images: ClassImages, class_name: str, supports: SupportTokens, on_step: OnStep
    ) -> Head[ClassMeasurement]:
        """Make the head of this job on one class; where the text of the class could not be encoded, it has failed.

        `on_step` is called with (steps done, all steps, loss, epochs) of a training on the supports of the class.
        """
        setup, target, method, request = self.job.setup, self.job.target, self.detector.method, self.plan.request
        measurement = measurement_of(
            self.job, self.plan.metrics, images.rows, area_quartiles=self._area_quartiles, thresholds=self.thresholds
        )
        few_shot = self.job.supports is not None
        step = setup.step_taken(few_shot=few_shot)
        head = Head(
            scorer=Scorer.of(setup, method, self.backbone.device, target.card.name, few_shot=few_shot),
            measurement=measurement,
            taps=taps_of(setup),
            class_word=target.card.words(setup.name)[class_name],
            maps_folder=self.job.path.with_suffix(".maps") if request.save_maps else None,
            failure=self._text_failures.get(class_name),
            step=step if step is not None and step.whole_class else None,  # others are taken with the whole class
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
        seconds = learned.earlier_seconds + (perf_counter() - start if learned.first_loss is not None else 0.0)
        self._learned = {"seconds": seconds, "checkpoint": learned.checkpoint.name if learned.checkpoint else None}
        remember()

    def facts(self, head: Head[ClassMeasurement], images: ClassImages) -> Facts:
        """Return what the head has counted and spent on these images."""
        encoding, scoring = images.watch.seconds, head.scorer.watch.seconds
        shared_encoder = not taps_of(self.job.setup).own_encoding and self.backbone.vision.blocks
        compiled = {"compiled": self.job.setup.compiling} if shared_encoder and shared_encoder.compiled else {}
        return Facts(
            {stage: encoding[stage] + scoring[stage] for stage in STAGES},
            dict(images.mask_counts),
            {**machine_of(self.backbone.device), **compiled},
            peak_host_mib(),
            peak_device_mib(self.backbone.device),
            self._learned,
        )


def measurement_of(
    job: Job,
    metrics: Sequence[MetricName],
    rows: pd.DataFrame,
    *,
    area_quartiles: Sequence[float] | None,
    thresholds: Thresholds,
) -> ClassMeasurement:
    """Make the measurement of a job on a class with these rows."""
    return ClassMeasurement(
        metrics_of(metrics, job.target.card),
        rows,
        masked=job.target.card.pixel_level,
        pixels=len(rows) * job.setup.map_side**2,
        area_quartiles=area_quartiles,
        thresholds=thresholds,
    )
