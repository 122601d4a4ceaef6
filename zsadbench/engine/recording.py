"""One job on its way: its detector, its record so far, and what every class adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from zsadbench.checkpoints import write_atomically
from zsadbench.engine.cells import signature, why_not_comparable
from zsadbench.engine.cost import STAGES, peak_device_mib, peak_host_mib
from zsadbench.engine.entries import enter, origin, parameters
from zsadbench.engine.evaluate import ClassResult, Evaluation
from zsadbench.engine.ledger import audit, leak_of
from zsadbench.engine.provenance import now, provenance
from zsadbench.engine.shared import companions
from zsadbench.engine.shots import show
from zsadbench.engine.train import Trained, obtain
from zsadbench.errors import CellError
from zsadbench.results import Record, read_images, write_record

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.cost import Stopwatch
    from zsadbench.engine.encode import Encoding
    from zsadbench.engine.plan import Job, Plan


class Recording:
    """A job, the detector that it scores with, and its record, which is written after every class."""

    def __init__(self, plan: Plan, job: Job, backbone: Backbone, batch_size: int) -> None:
        self.plan, self.job, self.backbone, self.batch_size = plan, job, backbone, batch_size
        self.record = job.record or _new_record(job)
        self.images = read_images(job.path) if job.record is not None else None
        self.failed = False
        self._train_seconds = 0.0
        self._trained: Trained | None = None
        self._whence: dict[str, Any] = {}

    @property
    def trained(self) -> Trained:
        """The detector."""
        assert self._trained is not None  # noqa: S101 - `learn` comes first
        return self._trained

    def learn(self, on_step: Callable[[int, int, float], None]) -> Trained:
        """Get the detector, given, cached or trained now, and say in a new record what it may have seen."""
        request, started, start = self.plan.request, now(), perf_counter()
        trained = obtain(
            self.job.setting,
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
        self._trained, self._whence = trained, {"started": started, **origin(trained, self.job)}
        return trained

    def audit(self) -> None:
        """Say in a new record what the detector may have seen of the target, and whether numbers may be compared."""
        if not self.record.ledger:
            found = audit(self.job, self.plan.request)
            reasons = why_not_comparable(self.job.cell, self.job.setting, self.job.target, leak_of(found))
            self.record.ledger, self.record.not_comparable_because = found, reasons
            self.record.comparable = not reasons

    def head(self, encoding: Encoding, class_name: str, watch: Stopwatch) -> Evaluation:
        """The detector on one class, once it has seen its supports.

        Raises:
            DataError: a support cannot be read.
        """
        method, setting = self.trained.method, self.job.setting
        if supports := self.job.supports:
            show(method, self.backbone, setting, supports.rows[class_name], self.plan.request.workers)
        maps_folder = self.job.path.with_suffix(".maps") if self.plan.request.save_maps else None
        return Evaluation(setting, method, encoding, class_name, self.plan.metrics, maps_folder, watch)

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
        record.provenance = provenance(self.backbone.device) | self._whence
        self._write(record, class_name, result)

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
        return f"{self.job.setting.name} on {self.job.target.card.name}, seed {self.job.seed}, {where}: {failure}"


def _new_record(job: Job) -> Record:
    return Record(
        cell=job.cell,
        expected=list(job.target.classes),
        signature=signature(job.cell, job.setting.spec.weights.label),
    )
