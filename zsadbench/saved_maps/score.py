"""`zsadbench score`: measure saved maps of any program with the metrics of a run, and write a record."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.clip.config import DEMO
from zsadbench.engine.encode.masks import NO_REGIONS, region_counts
from zsadbench.engine.evaluate.classes import RECOVERABLE
from zsadbench.engine.evaluate.measure import ClassMeasurement, ClassResult
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.engine.machine.memory import peak_host_mib
from zsadbench.engine.plan.cell import UNKNOWN, signature, why_not_comparable
from zsadbench.engine.record.leakage import NOT_AUDITED, check_declared, leak_of
from zsadbench.engine.record.provenance import machine_of, now, provenance
from zsadbench.engine.record.writer import RecordWriter
from zsadbench.engine.results import Results
from zsadbench.records import Record, identity
from zsadbench.saved_maps.about import About
from zsadbench.saved_maps.ground_truth import MapReader
from zsadbench.saved_maps.plan import ScorePlan

log = logging.getLogger(__name__)

BATCH = 16  # maps in memory at a time
NO_LEDGER = {
    "aux": UNKNOWN,
    "grade": UNKNOWN,
    "leak": False,
    "categories": [],
    "sources": [],
    "images": None,
    "images_not_compared_because": "nobody says what the program that made the maps learned from",
    "epoch_choice": "unknown",
    "not_audited": NOT_AUDITED,
}


def score_maps(plan: ScorePlan, on_class: Callable[[str, int], None] = lambda name, images: None) -> Results:
    """Measure the classes that the record lacks; it is written after each class, and a failure costs its class only.

    Args:
        plan: what to measure.
        on_class: called with the name of each class, and its number of images, before it is measured.
    """
    results = Results()
    if plan.fault:
        results.failures, results.failed = [plan.fault], 1
        return results
    recorder = MapsRecorder(plan)
    for name in plan.todo:
        saved = SavedClass(plan, name, recorder.area_quartiles)
        on_class(name, len(saved.rows))
        try:
            recorder.add_class(saved)
        except RECOVERABLE as failure:
            results.failures.append(f"{plan.cell['method']} on {plan.cell['target']['name']}, {name}: {failure}")
    results.failed, results.skipped = int(bool(results.failures)), int(not plan.todo)
    results.finished = 1 - results.failed - results.skipped
    if recorder.writer.record.classes:
        results.records.append((plan.path, recorder.writer.record))
        results.targets[plan.path] = plan.truth.target
    return results


def _declared_reasons(about: About | None) -> Iterator[str]:
    """Yield why declared maps are not comparable, as those of a run with such a backbone would not be."""
    if about is not None and about.backbone == DEMO:
        yield "demo backbone, not CLIP"
    if about is not None and about.weights == "random":
        yield "random weights"


class SavedClass:
    """The saved maps of one class, and their metrics."""

    def __init__(self, plan: ScorePlan, name: str, area_quartiles: list[float] | None) -> None:
        self.plan, self.name, self.truth = plan, name, plan.truth
        rows, without_map = self.truth.rows(name), set(plan.missing.get(name, ()))
        self.rows = rows[~rows["relative"].isin(without_map)].reset_index(drop=True)
        self.reader = MapReader(plan.files, plan.hashes)
        self.masked = self.truth.target.card.pixel_level
        self.measurement = ClassMeasurement(
            plan.metrics,
            self.rows,
            masked=self.masked,
            pixels=len(self.rows) * self.truth.size**2,
            area_quartiles=area_quartiles,
            thresholds=Thresholds(),
        )
        self.mask_counts: Counter[str] = Counter(NO_REGIONS if self.masked else {})
        self.seconds = 0.0

    def measure(self) -> ClassResult:
        """Read all maps of the class in batches and compute its metrics.

        Raises:
            DataError: a file cannot be read.
            CellError: a map is not finite.
        """
        start = perf_counter()
        for first in range(0, len(self.rows), BATCH):
            self._count(np.arange(first, min(first + BATCH, len(self.rows))))
        skipped = self.truth.target.skipped.get(self.name, 0) + len(self.plan.missing.get(self.name, ()))
        result = self.measurement.result(
            skipped, {**self.mask_counts, "left_out": self.truth.target.left_out_of(self.name)}
        )
        self.seconds = perf_counter() - start
        return result

    def _count(self, positions: NDArray[np.int64]) -> None:
        """Read one batch and update the metrics; without `scores.csv` the image score is the maximum of the map."""
        rows: list[Any] = list(self.rows.iloc[positions].itertuples())
        listed = self.plan.folder.scores
        maps = [self.reader.read(row.relative) for row in rows] if self.masked or listed is None else []
        scores = [float(each.max()) for each in maps] if listed is None else [listed[row.relative] for row in rows]
        if not self.masked:
            self.measurement.update(np.array(scores), positions, None, None)
            return
        native = [self.truth.native(row) for row in rows]
        masks = [self.truth.resized(mask) for mask in native]
        self.mask_counts.update(region_counts(native, masks, self.truth.protocol.mask_resize))
        triples = zip(maps, rows, masks, strict=True)
        fitted = [self.reader.fit(each, row.relative, mask.shape) for each, row, mask in triples]
        self.measurement.update(np.array(scores), positions, fitted, masks)


class MapsRecorder:
    """The record of one folder of maps."""

    def __init__(self, plan: ScorePlan) -> None:
        self.plan, truth = plan, plan.truth
        run_record = plan.run_record
        ledger = self._ledger()
        before = run_record.not_comparable_because if run_record else list(_declared_reasons(plan.about))
        leak = leak_of(ledger) if plan.about else ""
        reasons = why_not_comparable(plan.cell, truth.target.card, None, leak=leak, before=before)
        new = Record(
            cell=plan.cell,
            expected=list(truth.target.classes),
            comparable=not reasons,
            not_comparable_because=reasons,
            ledger=ledger,
            signature=signature(plan.cell),
        )
        self.writer = RecordWriter(
            plan.path, truth.target, plan.metrics, plan.record, new, overwrite=plan.run_request.overwrite == "always"
        )
        self.area_quartiles = (
            self.writer.area_quartiles(truth.protocol, truth.size, plan.run_request.workers) if plan.todo else None
        )
        self.started, self.warned = now(), False

    def _ledger(self) -> dict[str, Any]:
        """Return the ledger of a new record: that of the run, or of the declared auxiliary set, or one that says so."""
        plan = self.plan
        if plan.run_record:
            return dict(plan.run_record.ledger)
        if plan.about is None or plan.record is not None or not plan.todo:  # a record that is continued has its own
            return dict(NO_LEDGER)
        return check_declared(plan.about.aux, plan.truth.target, plan.run_request, shots=plan.about.shots)

    def add_class(self, saved: SavedClass) -> None:
        """Measure one class and write the record with it.

        Raises:
            DataError, CellError: as `SavedClass.measure`; the record stays as it was.
        """
        name, result = saved.name, saved.measure()
        with self.writer.lock():
            before = self.writer.record.cost
            cost = {
                "seconds": {},  # no stage of a detector ran here
                "seconds_scoring": {**before.get("seconds_scoring", {}), name: saved.seconds},
                "images": {**before.get("images", {}), name: len(result.images)},
                "peak_host_mib": peak_host_mib(),
            }
            made_with = provenance(machine_of(torch.device("cpu"))) | self._origin(name, saved.reader.enlarged)
            self.writer.add_class(name, result, cost, made_with)

    def _origin(self, name: str, enlarged: Counter[str]) -> dict[str, Any]:
        """Return the provenance of the maps; the first class with maps of another size also gives a warning."""
        plan, size = self.plan, self.plan.truth.size
        if enlarged and not self.warned:
            wanted = f"{size}×{size}" if plan.truth.protocol.mask_resize != "none" else "the size of its mask"
            log.warning(
                "maps of %s are brought to %s, bilinear; --image-size measures at another size",
                *(", ".join(enlarged), wanted),
            )
            self.warned = True
        sizes = {**self.writer.record.provenance.get("maps_enlarged", {}), name: dict(enlarged)}
        return {
            "started": self.started,
            **plan.truth.target.provenance(),
            "maps": str(plan.folder.root),
            "maps_of": identity(plan.run_record.cell) if plan.run_record else None,
            "maps_enlarged": {class_name: counts for class_name, counts in sizes.items() if counts},
            "maps_missing": {class_name: list(lacking) for class_name, lacking in plan.missing.items()},
        }
