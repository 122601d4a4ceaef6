"""One class of one cell: score the tokens, enlarge, smooth, measure."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.checkpoints import write_atomically
from zsadbench.clip.union import pick
from zsadbench.engine.cost import Stopwatch
from zsadbench.engine.encode import Encoded, Encoding, Mask
from zsadbench.engine.maps import Map, enlarge, map_path, smooth
from zsadbench.engine.shared import taps_of
from zsadbench.errors import CellError, DataError
from zsadbench.metrics import ClassMetrics, Estimate, MetricName, mode_for, sample_estimates
from zsadbench.types import Method

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import LoadedBatch
    from zsadbench.engine.cells import Setting

RECOVERABLE = (CellError, DataError, OSError, MemoryError, RuntimeError)  # torch says RuntimeError when memory is short


@dataclass
class ClassResult:
    """What one class gave: estimates by metric, counts, one row an image."""

    estimates: dict[str, Estimate]
    counts: dict[str, int]
    images: list[dict[str, Any]] = field(default_factory=list)


def evaluate(
    encoding: Encoding, heads: Sequence[Evaluation], on_images: Callable[[int], None] = lambda count: None
) -> list[ClassResult | Exception]:
    """Measure one class with every head: all of them score a batch before the next one is read.

    Returns:
        For each head its result, or what it failed with: one of `RECOVERABLE`, which leaves the others as they are.
    """
    failed: dict[int, Exception] = {}
    if not heads:
        return []
    try:
        for encoded in encoding:
            for number, head in enumerate(heads):
                if number not in failed:
                    _attempt(head, encoded, number, failed)
            if len(failed) == len(heads):
                break
            on_images(len(encoded.loaded.paths))
    except RECOVERABLE as failure:  # an image cannot be read, or the tower finds no memory: all of them are hit
        return [failed.get(number, failure) for number in range(len(heads))]
    return [failed.get(number) or _finished(head) for number, head in enumerate(heads)]


def _attempt(head: Evaluation, encoded: Encoded, number: int, failed: dict[int, Exception]) -> None:
    try:
        head.take(encoded)
    except RECOVERABLE as failure:
        failed[number] = failure


def _finished(head: Evaluation) -> ClassResult | Exception:
    try:
        return head.result()
    except RECOVERABLE as failure:
        return failure


@dataclass
class Evaluation:
    """A detector on one class of a target: it takes batches, then gives the result.

    Raises:
        CellError: from `take`: a score or a map is not finite.
    """

    setting: Setting
    method: Method
    encoding: Encoding
    class_name: str
    metrics: tuple[MetricName, ...]
    maps_folder: Path | None
    watch: Stopwatch
    images: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.target, self.rows = self.encoding.target, self.encoding.rows
        mode = mode_for(len(self.rows) * self.setting.image_size**2)
        self.collected = ClassMetrics(self.metrics, masks=self.target.card.pixel_level, mode=mode)

    def take(self, encoded: Encoded) -> None:
        """Score one batch and count it."""
        loaded, masks = encoded.loaded, encoded.masks
        before = self.watch.seconds["head"]
        image, pixel = self._scores(encoded)
        seconds = (encoded.seconds + self.watch.seconds["head"] - before) / len(loaded.paths)
        finite(image, loaded.paths, "image score")
        maps = None
        if masks is not None or self.maps_folder is not None:
            maps = self._maps(pixel, masks, loaded.paths)
            self._save(maps, loaded)
        with self.watch.stage("metrics"):
            self.collected.update(image, loaded.labels, maps, masks)
        self.images += self._image_rows(image, loaded, seconds)

    def result(self) -> ClassResult:
        """The metrics of all batches."""
        with self.watch.stage("metrics"):
            estimates = self.collected.compute() | self._over_samples()
        return ClassResult(estimates, self._counts(), self.images)

    def _over_samples(self) -> dict[str, Estimate]:
        """The metrics asked for in which the views of one object count as one image."""
        sample = dict(zip(self.rows["relative"], self.rows["sample"], strict=True))
        scores, labels = [one["score"] for one in self.images], [one["label"] for one in self.images]
        return sample_estimates(self.metrics, scores, labels, [sample[one["path"]] for one in self.images])

    def _counts(self) -> dict[str, int]:
        anomalous = int(self.rows["label"].sum())
        counts = {"normal": len(self.rows) - anomalous, "anomalous": anomalous, "regions": self.collected.regions}
        counts["skipped"] = self.target.skipped.get(self.class_name, 0)
        return counts | self.encoding.counts

    def _scores(self, encoded: Encoded) -> tuple[NDArray[np.float32], torch.Tensor]:
        words = [self.target.card.words(self.setting.name)[self.class_name]] * len(encoded.loaded.paths)
        with self.watch.stage("head"), torch.inference_mode():
            tokens = pick(encoded.tokens, self.encoding.taps, taps_of(self.setting))
            scores = self.method.score(tokens, words)
        return scores.image.float().cpu().numpy(), scores.pixel

    def _maps(self, pixel: torch.Tensor, masks: list[Mask] | None, paths: tuple[str, ...]) -> list[Map]:
        protocol, size = self.setting.protocol, self.setting.image_size
        native = protocol.map_size == "native" and masks is not None
        sizes = [mask.shape for mask in masks] if native and masks else [(size, size)] * len(paths)
        with self.watch.stage("map"):
            grids = [pixel[index : index + 1] for index in range(len(paths))]
            maps = [smooth(enlarge(grid, wanted), self._sigma())[0] for grid, wanted in zip(grids, sizes, strict=True)]
        for one, path in zip(maps, paths, strict=True):
            finite(one, (path,), "anomaly map")
        return maps

    def _sigma(self) -> float:
        protocol = self.setting.protocol
        off = protocol.smoothing == "none" or self.target.card.name in protocol.unsmoothed
        return 0.0 if off else self.setting.method.card.smoothing

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


def limited(manifest: pd.DataFrame, class_name: str, limit: int | None) -> pd.DataFrame:
    """Rows of one class; with a limit, its first N normal and first N anomalous images in sorted order."""
    rows = manifest[manifest["class"] == class_name]
    if limit is not None:
        rows = rows[rows.groupby("label").cumcount() < limit]
    return rows.reset_index(drop=True)


def finite(values: NDArray[np.float32], paths: tuple[str, ...], what: str) -> None:
    """Raise `CellError`, naming the image, where a score or a map holds NaN or infinity.

    `values` has one row an image, or is the one map of the only path.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        index = 0 if len(paths) == 1 else int(np.argmax(bad.reshape(len(paths), -1).any(axis=1)))
        raise CellError(f"the {what} of {paths[index]} holds NaN or infinity; nothing can be ranked with it")
