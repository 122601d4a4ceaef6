"""One job on its way: its detector, its record so far, and what every class adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from zsadbench.engine.encode.supports import show
from zsadbench.engine.evaluate.classes import ClassResult, Evaluation
from zsadbench.engine.evaluate.region_quartiles import edges_of
from zsadbench.engine.evaluate.thresholds import Thresholds, find_thresholds
from zsadbench.engine.learn.detector import Trained, obtain
from zsadbench.engine.machine.memory import peak_device_mib, peak_host_mib
from zsadbench.engine.machine.timing import STAGES
from zsadbench.engine.plan.cell import signature, why_not_comparable
from zsadbench.engine.plan.sharing import companions
from zsadbench.engine.record.details import with_class
from zsadbench.engine.record.entries import enter, origin, parameters
from zsadbench.engine.record.leakage import audit, leak_of
from zsadbench.engine.record.pooled import pooled_entries
from zsadbench.engine.record.provenance import now, provenance
from zsadbench.errors import CellError
from zsadbench.files import write_atomically
from zsadbench.records import Record, identity, read_images, write_record
from zsadbench.records.sidecars import Sidecars, read_sidecars

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.encode.batches import Encoding
    from zsadbench.engine.machine.timing import Stopwatch
    from zsadbench.engine.plan.jobs import Job, Plan


class Recording:
    """A job, the detector that it scores with, and its record, which is written after every class."""

    def __init__(self, plan: Plan, job: Job, backbone: Backbone, batch_size: int) -> None:
        self.plan, self.job, self.backbone, self.batch_size = plan, job, backbone, batch_size
        self.record = job.record or _new_record(job)
        self.images = read_images(job.path) if job.record is not None else None
        made = identity(job.cell)
        self.beside = read_sidecars(job.path, made) if job.record is not None else Sidecars(made)
        self.failed = False
        self._train_seconds = 0.0
        self._trained: Trained | None = None
        self._whence: dict[str, Any] = {}
        self._thresholds = Thresholds()

    @property
    def trained(self) -> Trained:
        """The detector."""
        assert self._trained is not None  # noqa: S101 - `learn` comes first
        return self._trained

    def learn(self, on_step: Callable[[int, int, float], None]) -> Trained:
        """Get the detector, given, cached or trained now, and say in a new record what it may have seen."""
        request, started, start = self.plan.request, now(), perf_counter()
        trained = obtain(
            self.job.setup,
            self.backbone,
            self.job.aux,
            self.job.seed,
            workers=request.workers,
            image_cache=request.image_cache,
            token_cache=request.token_cache,
            also=companions(self.job, self.plan.jobs),
            on_step=on_step,
        )
        self._train_seconds = perf_counter() - start if trained.first_loss is not None else 0.0
        self._thresholds = find_thresholds(self.plan, self.job, trained.method, self.backbone, self.batch_size)
        self._trained, self._whence = trained, {"started": started, **origin(trained, self.job), **self._cuts()}
        return trained

    def audit(self) -> None:
        """Say in a new record what the detector may have seen of the target, and whether numbers may be compared."""
        if not self.record.ledger:
            found = audit(self.job, self.plan.request)
            reasons = why_not_comparable(self.job.cell, self.job.setup, self.job.target, leak_of(found))
            self.record.ledger, self.record.not_comparable_because = found, reasons
            self.record.comparable = not reasons

    def head(self, encoding: Encoding, class_name: str, watch: Stopwatch) -> Evaluation:
        """The detector on one class, once it has seen its supports.

        Raises:
            DataError: a support cannot be read.
        """
        method, setup = self.trained.method, self.job.setup
        if supports := self.job.supports:
            show(method, encoding.supports, setup, supports.rows[class_name])
        maps_folder = self.job.path.with_suffix(".maps") if self.plan.request.save_maps else None
        edges = self._area_edges()
        return Evaluation(
            setup, method, encoding, class_name, self.plan.metrics, maps_folder, watch, edges, self._thresholds
        )

    def _cuts(self) -> dict[str, Any]:
        """The thresholds from the auxiliary set, where there are some."""
        return {"thresholds": asdict(self._thresholds)} if self._thresholds.aux else {}

    def _area_edges(self) -> list[float] | None:
        """The quartiles of region area of the target, None where it has no masks."""
        setup, target = self.job.setup, self.job.target
        if target.card.pixel_level and self.beside.area_quartiles is None:
            edges = edges_of(target, setup.protocol, setup.image_size, self.plan.request.workers)
            self.beside = replace(self.beside, area_quartiles=edges)
        return self.beside.area_quartiles

    def enter(self, class_name: str, result: ClassResult, seconds: Mapping[str, float], *, shared: bool) -> None:
        """Write the record with one class more; what fails leaves the record as it was.

        Args:
            class_name: the class.
            result: what it gave.
            seconds: by stage; those of an encoding that was shared in full.
            shared: whether other heads were served at the same time, so that these are not its costs alone.
        """
        record = enter(self.record, class_name, result)
        costs = self._cost(record.cost, class_name, len(result.images), seconds)
        shared = shared or bool(record.cost.get("shared"))
        record.cost = costs | {"shared": shared} | parameters(self.trained, self.backbone)
        compiled = {"compiled": self.job.setup.compiling} if self.backbone.vision.blocks.compiled else {}
        record.provenance = provenance(self.backbone.device) | self._whence | compiled
        self._write(record, class_name, result)

    def _write(self, record: Record, class_name: str, result: ClassResult) -> None:
        """Write the record with its images, those of this class in place of older ones; then it is the record."""
        path, new = self.job.path, pd.DataFrame(result.images)
        old = self.images
        images = new if old is None else pd.concat([old[old["class"] != class_name], new], ignore_index=True)
        beside = self.beside
        if result.details is not None:
            beside = with_class(beside, class_name, result.details, self.job.target.manifest, result.pooled)
            beside.write(path, class_name)
        masked = self.job.target.card.pixel_level
        record.pooled = pooled_entries(self.plan.metrics, record, images, beside.pooled, masked=masked)
        if self.plan.request.save_maps:
            scores = images[["path", "score"]].to_csv(index=False)
            write_atomically(path.with_suffix(".maps") / "scores.csv", scores.encode())
        write_record(path, record, images)
        self.record, self.images, self.beside = record, images, beside

    def _cost(
        self, before: Mapping[str, Any], class_name: str, count: int, seconds: Mapping[str, float]
    ) -> dict[str, Any]:
        """Seconds by stage and class summed over the classes of this record, and the peaks so far."""
        by_class = {**before.get("by_class", {}), class_name: {stage: seconds[stage] for stage in STAGES}}
        images = {**before.get("images", {}), class_name: count}
        total = {stage: sum(one[stage] for one in by_class.values()) for stage in STAGES}
        forward = total["tower"] + total["head"] + total["map"]
        return {
            "seconds": total,
            **self._learned(before),
            "by_class": by_class,
            "images": images,
            "images_per_second": sum(images.values()) / forward if forward else None,
            "peak_host_mib": peak_host_mib(),
            "peak_device_mib": peak_device_mib(self.backbone.device),
            "batch_size": self.batch_size,
        }

    def _learned(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """What the training cost, if it was part of this run: seconds, and how often it needed the tower."""
        if not self._train_seconds:
            return {"seconds_training": before.get("seconds_training", 0.0)} | {
                name: before[name] for name in ("tokens_encoded", "tokens_remembered") if name in before
            }
        counts = {"tokens_encoded": self.trained.encoded, "tokens_remembered": self.trained.remembered}
        return {"seconds_training": self._train_seconds, **counts}

    def explain(self, where: str, failure: Exception) -> str:
        """Note a failure and say it in one line; a bug is raised again."""
        if isinstance(failure, MemoryError | RuntimeError):
            if "memory" not in str(failure).lower() and not isinstance(failure, MemoryError):
                raise failure  # a bug, not a shortage
            failure = CellError("out of memory; a smaller --batch-size or --image-size may help")
        self.failed = True
        return f"{self.job.setup.name} on {self.job.target.card.name}, seed {self.job.seed}, {where}: {failure}"


def _new_record(job: Job) -> Record:
    return Record(
        cell=job.cell,
        expected=list(job.target.classes),
        signature=signature(job.cell, job.setup.spec.weights.label),
    )
