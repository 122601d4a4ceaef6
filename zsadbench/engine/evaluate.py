"""One class of one cell: encode, score, enlarge, smooth, measure."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.checkpoints import write_atomically
from zsadbench.clip import Backbone
from zsadbench.data import batches, resize_mask_nearest, soften_mask
from zsadbench.engine.cost import Stopwatch
from zsadbench.engine.maps import Map, enlarge, map_path, smooth
from zsadbench.engine.train import DTYPES
from zsadbench.errors import CellError
from zsadbench.metrics import ClassMetrics, Estimate, MetricName, label_regions
from zsadbench.types import Method, Tokens

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.engine.cells import Setting

Mask = NDArray[np.uint8]
RESIZE: dict[str, Callable[[Mask, int], Mask]] = {
    "nearest": resize_mask_nearest,
    "bilinear-half": soften_mask,
    "none": lambda mask, _: mask,
}


@dataclass
class ClassResult:
    """What one class gave: estimates by metric, counts, one row an image."""

    estimates: dict[str, Estimate]
    counts: dict[str, int]
    images: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Evaluation:
    """A detector, a data set and a protocol: `evaluate` gives the result of one class after another."""

    setting: Setting
    method: Method
    backbone: Backbone
    target: Dataset
    metrics: tuple[MetricName, ...]
    batch_size: int
    workers: int
    maps_folder: Path | None
    watch: Stopwatch

    def evaluate(self, class_name: str, on_images: Callable[[int], None] = lambda count: None) -> ClassResult:
        """Measure one class.

        Raises:
            CellError: a score or a map is not finite.
            DataError: an image or a mask cannot be read.
        """
        rows = limited(self.target.manifest, class_name, self.setting.limit)
        pixel = self.target.card.pixel_level
        collected = ClassMetrics(self.metrics, masks=pixel)
        result = ClassResult({}, self._counts(rows, class_name))
        for loaded in self._batches(rows, "native" if pixel else "none"):
            self._batch(loaded, rows, class_name, collected, result)
            on_images(len(loaded.paths))
        with self.watch.stage("metrics"):
            result.estimates = collected.compute()
        result.counts["regions"] = collected.regions
        return result

    def _counts(self, rows: pd.DataFrame, class_name: str) -> dict[str, int]:
        anomalous = int(rows["label"].sum())
        counts = {"normal": len(rows) - anomalous, "anomalous": anomalous, "regions": 0}
        counts["skipped"] = self.target.skipped.get(class_name, 0)
        return counts | ({"regions_native": 0, "masks_emptied": 0} if self.target.card.pixel_level else {})

    def _batches(self, rows: pd.DataFrame, masks: Any) -> Iterator[LoadedBatch]:
        """Loaded batches; the wait for each is the stage `load`."""
        protocol = self.setting.protocol
        source = batches(
            rows,
            size=self.setting.image_size,
            preprocessing=protocol.preprocessing,
            masks=masks,
            positive=self.target.card.positive if protocol.mask_values == "card" else "> 0",
            batch_size=self.batch_size,
            workers=self.workers,
        )
        while True:
            with self.watch.stage("load"):
                loaded = next(source, None)
            if loaded is None:
                return
            yield loaded

    def _batch(
        self, loaded: LoadedBatch, rows: pd.DataFrame, class_name: str, collected: ClassMetrics, result: ClassResult
    ) -> None:
        before = self.watch.seconds["tower"] + self.watch.seconds["head"]
        image, pixel = self._scores(loaded, class_name)
        seconds = (self.watch.seconds["tower"] + self.watch.seconds["head"] - before) / len(loaded.paths)
        finite(image, loaded.paths, "image score")
        masks = self._masks(loaded, result.counts)
        if masks is not None or self.maps_folder is not None:
            maps = self._maps(pixel, masks, loaded.paths)
            self._save(maps, loaded, rows)
        else:
            maps = None
        with self.watch.stage("metrics"):
            collected.update(image, loaded.labels, maps, masks)
        result.images += self._image_rows(image, loaded, rows, class_name, seconds)

    def _scores(self, loaded: LoadedBatch, class_name: str) -> tuple[NDArray[np.float32], torch.Tensor]:
        words = [self.target.card.classes[class_name]] * len(loaded.paths)
        taps = self.setting.method.card.taps(self.setting.method.options)
        with torch.inference_mode():
            with self.watch.stage("tower"):
                images = loaded.images.to(self.backbone.device)
                tokens: Tokens = self.backbone.vision(images, taps, DTYPES[self.setting.precision])
            with self.watch.stage("head"):
                scores = self.method.score(tokens, words)
        return scores.image.float().cpu().numpy(), scores.pixel

    def _masks(self, loaded: LoadedBatch, counts: dict[str, int]) -> list[Mask] | None:
        """Masks as the protocol wants them; regions that vanish or merge on the way are counted."""
        if loaded.masks is None:
            return None
        size, rule = self.setting.image_size, self.setting.protocol.mask_resize
        with self.watch.stage("metrics"):
            resized = [RESIZE[rule](mask, size) for mask in loaded.masks]
            for mask, made in zip(loaded.masks, resized, strict=True):
                if mask.any():
                    counts["regions_native"] += label_regions(mask)[1]
                    counts["masks_emptied"] += not made.any()
        return resized

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

    def _save(self, maps: list[Map], loaded: LoadedBatch, rows: pd.DataFrame) -> None:
        if self.maps_folder is None:
            return
        for one, row in zip(maps, loaded.rows, strict=True):
            path = map_path(self.maps_folder, rows["relative"].iloc[row])
            buffer = io.BytesIO()
            np.save(buffer, one.astype(np.float32))
            write_atomically(path, buffer.getvalue())

    def _image_rows(
        self, scores: NDArray[np.float32], loaded: LoadedBatch, rows: pd.DataFrame, class_name: str, seconds: float
    ) -> list[dict[str, Any]]:
        return [
            {
                "path": rows["relative"].iloc[row],
                "class": class_name,
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
