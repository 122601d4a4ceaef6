"""`zsadbench score`: the record of maps that any program made, by the same metrics as a run's."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from zsadbench.engine.evaluate.classes import RECOVERABLE, ClassResult
from zsadbench.engine.evaluate.measure import Measurement
from zsadbench.engine.evaluate.region_quartiles import edges_of
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.engine.machine.memory import peak_host_mib
from zsadbench.engine.record.details import with_class
from zsadbench.engine.record.entries import enter
from zsadbench.engine.record.leakage import NOT_AUDITED
from zsadbench.engine.record.pooled import pooled_entries
from zsadbench.engine.record.provenance import now, provenance
from zsadbench.engine.run import Results
from zsadbench.records import Record, identity, read_images, write_record
from zsadbench.records.sidecars import Sidecars, read_sidecars
from zsadbench.saved_maps.folder import Map
from zsadbench.saved_maps.ground_truth import Reader, region_counts
from zsadbench.saved_maps.plan import UNKNOWN, ScorePlan, signature_of, why_not_comparable

if TYPE_CHECKING:
    from zsadbench.engine.encode.batches import Mask

log = logging.getLogger(__name__)

TOGETHER = 16  # images whose maps are held at once
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
    """Measure the classes that are to do; the record is written after each, and a failure costs its class only.

    Args:
        plan: what to measure.
        on_class: told the name of each class, and its number of images, before it is measured.
    """
    results = Results()
    if plan.fault:
        results.failures, results.failed = [plan.fault], 1
        return results
    keeping = _Keeping(plan)
    for name in plan.todo:
        measured = _Class(plan, name, keeping.beside.area_quartiles)
        on_class(name, len(measured.rows))
        try:
            keeping.keep(measured)
        except RECOVERABLE as failure:
            results.failures.append(f"{plan.cell['method']} on {plan.cell['target']['name']}, {name}: {failure}")
    results.failed, results.skipped = int(bool(results.failures)), int(not plan.todo)
    results.finished = 1 - results.failed - results.skipped
    if keeping.record.classes:
        results.records.append((plan.path, keeping.record))
    return results


class _Class:
    """One class on its way through the metrics."""

    def __init__(self, plan: ScorePlan, name: str, area_quartiles: Sequence[float] | None) -> None:
        self.plan, self.name, self.truth = plan, name, plan.truth
        rows, lacking = self.truth.rows(name), set(plan.missing.get(name, ()))
        self.rows = rows[~rows["relative"].isin(lacking)].reset_index(drop=True)
        self.reader = Reader(plan.found)
        self.masked = self.truth.target.card.pixel_level
        self.measured = Measurement(
            plan.metrics,
            self.rows,
            masked=self.masked,
            pixels=len(self.rows) * self.truth.size**2,
            area_quartiles=area_quartiles,
            thresholds=Thresholds(),
        )
        self.counts: Counter[str] = Counter({"regions_native": 0, "masks_emptied": 0} if self.masked else {})
        self.scores: list[float] = []
        self.seconds = 0.0

    def result(self) -> ClassResult:
        """Read and measure all maps of the class.

        Raises:
            DataError: a file cannot be read.
            CellError: a map is not finite.
        """
        start = perf_counter()
        for first in range(0, len(self.rows), TOGETHER):
            self._take(np.arange(first, min(first + TOGETHER, len(self.rows))))
        found = self.measured.result()
        self.seconds = perf_counter() - start
        return ClassResult(found.estimates, self._counts(), self._images(), found.details, found.pooled)

    def _take(self, places: NDArray[np.int64]) -> None:
        rows: list[Any] = list(self.rows.iloc[places].itertuples())
        given = self.plan.folder.scores
        made = [self.reader.raw(row.relative) for row in rows] if self.masked or given is None else []
        scores = [float(one.max()) for one in made] if given is None else [given[row.relative] for row in rows]
        maps, masks = self._fitted(rows, made) if self.masked else (None, None)
        self.measured.take(np.array(scores), places, maps, masks)
        self.scores += scores

    def _fitted(self, rows: list[Any], made: list[Map]) -> tuple[list[Any], list[Mask]]:
        """Maps and masks of one size, image by image."""
        native = [self.truth.native(row) for row in rows]
        masks = [self.truth.resized(mask) for mask in native]
        self.counts.update(region_counts(native, masks))
        pairs = zip(made, rows, masks, strict=True)
        return [self.reader.fitted(one, row.relative, mask.shape) for one, row, mask in pairs], masks

    def _counts(self) -> dict[str, int]:
        anomalous, left_out = int(self.rows["label"].sum()), len(self.plan.missing.get(self.name, ()))
        counts = {"normal": len(self.rows) - anomalous, "anomalous": anomalous, "regions": self.measured.regions}
        counts["skipped"] = self.truth.target.skipped.get(self.name, 0) + left_out
        return counts | self.counts

    def _images(self) -> list[dict[str, Any]]:
        shown = self.rows[["relative", "class", "label", "defect"]].rename(columns={"relative": "path"})
        pairs = zip(shown.to_dict("records"), self.scores, strict=True)
        return [
            {**{str(key): value for key, value in row.items()}, "score": score, "seconds": float("nan")}
            for row, score in pairs
        ]


class _Keeping:
    """The record so far, and its images; written anew with every class."""

    def __init__(self, plan: ScorePlan) -> None:
        self.plan, self.record = plan, plan.record or _new_record(plan)
        self.images = read_images(plan.path) if plan.record else None
        self.beside = read_sidecars(plan.path, identity(plan.cell)) if plan.record else Sidecars(identity(plan.cell))
        truth = plan.truth
        if plan.todo and truth.target.card.pixel_level and self.beside.area_quartiles is None:
            self.beside.area_quartiles = edges_of(truth.target, truth.protocol, truth.size, plan.workers)
        self.started, self.warned = now(), False

    def keep(self, measured: _Class) -> None:
        """Measure a class and write the record with it.

        Raises:
            DataError, CellError: as `_Class.result`; the record stays as it was.
        """
        name, result = measured.name, measured.result()
        record = enter(self.record, name, result)
        record.cost = {
            "seconds": {},  # of a detector: no stage of it was seen
            "seconds_scoring": {**self.record.cost.get("seconds_scoring", {}), name: measured.seconds},
            "images": {**self.record.cost.get("images", {}), name: len(result.images)},
            "peak_host_mib": peak_host_mib(),
        }
        record.provenance = provenance(torch.device("cpu")) | self._whence(name, measured.reader.enlarged)
        new, old = pd.DataFrame(result.images), self.images
        images = new if old is None else pd.concat([old[old["class"] != name], new], ignore_index=True)
        beside = self.beside
        if result.details is not None:
            beside = with_class(beside, name, result.details, self.plan.truth.target.manifest, result.pooled)
            beside.write(self.plan.path, name)
        record.pooled = pooled_entries(self.plan.metrics, record, images, beside.pooled, masked=measured.masked)
        write_record(self.plan.path, record, images)
        self.record, self.images, self.beside = record, images, beside

    def _whence(self, name: str, enlarged: Counter[str]) -> dict[str, Any]:
        """Where the maps come from, and which sizes had to be enlarged; a warning says so once."""
        plan, size = self.plan, self.plan.truth.size
        if enlarged and not self.warned:
            wanted = f"{size}×{size}" if plan.truth.protocol.mask_resize != "none" else "the size of its mask"
            log.warning(
                "maps of %s are brought to %s, bilinear; --image-size measures at another size",
                *(", ".join(enlarged), wanted),
            )
            self.warned = True
        sizes = {**self.record.provenance.get("maps_enlarged", {}), name: dict(enlarged)}
        return {
            "started": self.started,
            "data_layout": plan.truth.target.layout,
            "data_edition": plan.truth.target.edition or None,
            "maps": str(plan.folder.root),
            "maps_of": identity(plan.made_by.cell) if plan.made_by else None,
            "maps_enlarged": {one: found for one, found in sizes.items() if found},
            "maps_missing": {one: list(lacking) for one, lacking in plan.missing.items()},
        }


def _new_record(plan: ScorePlan) -> Record:
    reasons = why_not_comparable(plan)
    return Record(
        cell=plan.cell,
        expected=list(plan.truth.target.classes),
        comparable=not reasons,
        not_comparable_because=reasons,
        ledger=dict(plan.made_by.ledger if plan.made_by else NO_LEDGER),
        signature=signature_of(plan.cell),
    )
