"""One class of one cell: score the tokens, enlarge, smooth, measure."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.engine.encode.batches import Encoded, Encoding, Mask
from zsadbench.engine.evaluate.maps import Map
from zsadbench.engine.evaluate.measure import Measurement
from zsadbench.engine.evaluate.scoring import Maps, Scored, Scorer
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.engine.machine.background import AHEAD, Behind
from zsadbench.engine.machine.timing import Span, Stopwatch
from zsadbench.errors import CellError, DataError
from zsadbench.files import write_atomically
from zsadbench.metrics import Details, Estimate, MetricName
from zsadbench.records import map_path
from zsadbench.types import Method

if TYPE_CHECKING:
    from zsadbench.data import LoadedBatch
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.records.sidecars import Arrays

RECOVERABLE = (CellError, DataError, OSError, MemoryError, RuntimeError)  # torch says RuntimeError when memory is short


@dataclass
class ClassResult:
    """What one class gave: estimates by metric, counts, one row an image; `details` and `pooled` as in `Measured`."""

    estimates: dict[str, Estimate]
    counts: dict[str, int]
    images: list[dict[str, Any]] = field(default_factory=list)
    details: Details | None = None
    pooled: Arrays = field(default_factory=dict)


def evaluate(
    encoding: Encoding,
    heads: Sequence[Evaluation],
    on_images: Callable[[int], None] = lambda count: None,
    ahead: int | None = None,
) -> list[ClassResult | Exception]:
    """Measure one class with every head: all of them score a batch before the next one is read.

    Where a GPU scores, a thread counts a batch while the next ones are scored, `ahead` of them at most; a CPU has
    nothing else to do meanwhile, and its stages can be told apart. Results are the same.

    Returns:
        For each head its result, or what it failed with: one of `RECOVERABLE`, which leaves the others as they are.
    """
    failed: dict[int, Exception] = {}
    if not heads:
        return []
    ahead = AHEAD * (encoding.watch.device.type == "cuda") if ahead is None else ahead
    try:
        with Behind(ahead * len(heads)) as behind:
            for encoded in encoding:
                for number, head in enumerate(heads):
                    _attempt(partial(_take, head, encoded, behind, number, failed), number, failed)
                if len(failed) == len(heads):
                    break
                on_images(len(encoded.loaded.paths))
    except RECOVERABLE as failure:  # an image cannot be read, or the tower finds no memory: all of them are hit
        return [failed.get(number, failure) for number in range(len(heads))]
    return [failed.get(number) or _finished(head) for number, head in enumerate(heads)]


def _take(head: Evaluation, encoded: Encoded, behind: Behind, number: int, failed: dict[int, Exception]) -> None:
    """Score a batch now and have it counted."""
    count = head.score(encoded)
    behind.put(partial(_attempt, count, number, failed))


def _attempt(call: Callable[[], None], number: int, failed: dict[int, Exception]) -> None:
    """Do something for a head that has not failed yet."""
    if number in failed:
        return
    try:
        call()
    except RECOVERABLE as failure:
        failed[number] = failure


def _finished(head: Evaluation) -> ClassResult | Exception:
    try:
        return head.result()
    except RECOVERABLE as failure:
        return failure


@dataclass
class Evaluation:
    """A detector on one class of a target: it scores batches and counts them, in order, then gives the result.

    `area_quartiles` and `thresholds` as in `Measurement`.

    Raises:
        CellError: from what `score` returns: a score or a map is not finite.
    """

    setup: MethodSetup
    method: Method
    encoding: Encoding
    class_name: str
    metrics: tuple[MetricName, ...]
    maps_folder: Path | None
    watch: Stopwatch
    area_quartiles: Sequence[float] | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    images: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.target, self.rows = self.encoding.target, self.encoding.rows
        self.scorer = Scorer(self.setup, self.method, self.target, self.class_name, self.encoding.taps, self.watch)
        self.measured = Measurement(
            self.metrics,
            self.rows,
            masked=self.target.card.pixel_level,
            pixels=len(self.rows) * self.setup.image_size**2,
            area_quartiles=self.area_quartiles,
            thresholds=self.thresholds,
        )

    def score(self, encoded: Encoded) -> Callable[[], None]:
        """Have one batch scored; what is returned counts it, and waits until the scores are there."""
        loaded = encoded.loaded
        scored, maps = self.scorer.scores(encoded), None
        if loaded.masks is not None or self.maps_folder is not None:
            maps = self.scorer.maps(scored, list(loaded.masks) if loaded.masks is not None else None)
        return partial(self._count, loaded, encoded.masks, (encoded.took, scored.took), scored, maps)

    def _count(
        self,
        loaded: LoadedBatch,
        made: Callable[[], list[Mask] | None],
        took: Sequence[Span],
        scored: Scored,
        finished: Maps | None,
    ) -> None:
        image, maps = scored.image(), finished.here() if finished is not None else None
        masks = made()
        if maps is not None:
            self._save(maps, loaded)
        with self.watch.stage("metrics"):
            self.measured.take(image, loaded.rows, maps if masks is not None else None, masks)
        seconds = sum(span.seconds for span in took) / len(loaded.paths)
        self.images += self._image_rows(image, loaded, seconds)

    def result(self) -> ClassResult:
        """The metrics of all batches."""
        with self.watch.stage("metrics"):
            found = self.measured.result()
        return ClassResult(found.estimates, self._counts(), self.images, found.details, found.pooled)

    def _counts(self) -> dict[str, int]:
        anomalous = int(self.rows["label"].sum())
        counts = {"normal": len(self.rows) - anomalous, "anomalous": anomalous, "regions": self.measured.regions}
        counts["skipped"] = self.target.skipped.get(self.class_name, 0)
        return counts | self.encoding.counts

    def _save(self, maps: list[Map], loaded: LoadedBatch) -> None:
        if self.maps_folder is None:
            return
        for one, row in zip(maps, loaded.rows, strict=True):
            path = map_path(self.maps_folder, self.rows["relative"].iloc[row])
            buffer = io.BytesIO()
            np.save(buffer, one.astype(np.float32))
            write_atomically(path, buffer.getvalue())

    def _image_rows(self, scores: NDArray[np.float32], loaded: LoadedBatch, seconds: float) -> list[dict[str, Any]]:
        rows = self.rows
        return [
            {
                "path": rows["relative"].iloc[row],
                "class": self.class_name,
                "label": int(label),
                "defect": rows["defect"].iloc[row],
                "score": float(score),
                "seconds": seconds,
            }
            for row, label, score in zip(loaded.rows, loaded.labels, scores, strict=True)
        ]
