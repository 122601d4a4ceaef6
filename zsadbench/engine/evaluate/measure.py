"""Measure one class batch by batch, with anomaly maps from a run or from another program."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.engine.evaluate.finishing import finished_scores
from zsadbench.metrics import (
    ClassDetails,
    ClassMetrics,
    Details,
    Estimate,
    F1At,
    MetricName,
    PixelMetrics,
    mode_for,
    sample_estimates,
)
from zsadbench.metrics.by_class import NO_MASKS
from zsadbench.metrics.names import AUX, POOLED, SEGF1

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.engine.encode.masks import Mask
    from zsadbench.engine.evaluate.maps import AnomalyMap
    from zsadbench.engine.evaluate.thresholds import Thresholds
    from zsadbench.records.sidecars import Arrays
    from zsadbench.types import Transductive

PART = "part_"  # columns of the table of images: what a finishing step needs of each image
NOT_PER_CLASS = "it is one number over all classes, not one a class"


@dataclass
class ClassResult:
    """The result of one class, as it goes into the record.

    `estimates` by metric name; `counts` of images and regions; `images` one row per image; `details` (parts, curves,
    regions, intervals) where the data set has masks; `pooled` the pixel counts for metrics over all classes.
    """

    estimates: dict[str, Estimate]
    counts: dict[str, int]
    images: list[dict[str, Any]] = field(default_factory=list)
    details: Details | None = None
    pooled: Arrays = field(default_factory=dict)


class ClassMeasurement:
    """Metric accumulators of one class.

    Args:
        names: the metrics.
        rows: manifest of the class, one row per image.
        masked: whether the data set has masks.
        pixels: estimated number of pixels of the class; decides between exact and streamed counting.
        area_quartiles: quartiles of region area of the whole data set; None where there are none.
        thresholds: from other images, for the metrics at a threshold.
    """

    def __init__(
        self,
        names: Sequence[MetricName],
        rows: pd.DataFrame,
        *,
        masked: bool,
        pixels: int,
        area_quartiles: Sequence[float] | None,
        thresholds: Thresholds,
    ) -> None:
        self.names, self.rows, self.thresholds = tuple(names), rows, thresholds
        self.metrics = ClassMetrics(self.names, masks=masked, mode=mode_for(pixels))
        self.details = ClassDetails(area_quartiles) if masked else None
        wanted = {(name.level, name.over) for name in self.names}
        self.pooled = PixelMetrics(mode="stream") if masked and ("pixel", POOLED) in wanted else None
        cuts = {"image": thresholds.image, "pixel": thresholds.pixel if masked else None}
        self.at_threshold = {
            level: F1At(cut, level) for level, cut in cuts.items() if cut is not None and (level, AUX) in wanted
        }
        cut = thresholds.by_class.get(str(rows["class"].iloc[0])) if len(rows) else None
        if masked and cut is not None and any(name.kind == SEGF1 for name in self.names):
            self.at_threshold[SEGF1] = F1At(cut, "pixel")
        self._order: array[int] = array("q")  # positions of the images in `rows`, as they came
        self._columns = {name: array("d") for name in ("score", "seconds")}  # of the table of images; also parts

    def update(
        self,
        scores: NDArray[np.floating[Any]],
        positions: NDArray[np.int64],
        maps: Sequence[AnomalyMap] | None,
        masks: Sequence[Mask] | None,
        seconds: float = float("nan"),
        *,
        parts: Mapping[str, NDArray[np.floating[Any]]] = MappingProxyType({}),
    ) -> None:
        """Count one batch. Regions of a mask are labelled once for all metrics.

        Args:
            scores: image scores, (batch,).
            positions: of the images in `rows`, (batch,).
            maps: anomaly maps, one (height, width) per image; None without masks.
            masks: uint8 of the same sizes; None without masks.
            seconds: per image, for the table of images; NaN if not measured.
            parts: of a finishing step, (batch,) each; kept in the table of images.
        """
        rows = self.rows.iloc[positions]
        labels = rows["label"].to_numpy()
        images = self.metrics.read(maps, masks)
        self.metrics.take(scores, labels, images)
        if self.details is not None:
            defects = ["" if label == 0 else defect for label, defect in zip(labels, rows["defect"], strict=True)]
            self.details.take(rows["relative"].tolist(), scores.tolist(), images, defects, rows["view"].tolist())
        if self.pooled is not None:
            self.pooled.take(images)
        if "image" in self.at_threshold:
            self.at_threshold["image"].update(scores, labels)
        for f1 in self.at_threshold.values():
            if f1.unit == "pixel":
                f1.take(images)
        self._list_images(positions, scores, [seconds] * len(positions), parts)

    def _list_images(
        self,
        positions: NDArray[np.int64],
        scores: NDArray[np.floating[Any]],
        seconds: Sequence[float],
        parts: Mapping[str, NDArray[np.floating[Any]]],
    ) -> None:
        """Add rows to the table of images; arguments are (images,) each."""
        self._order.extend(positions.tolist())
        of_images = {"score": scores.tolist(), "seconds": seconds}
        of_images |= {f"{PART}{name}": values.tolist() for name, values in parts.items()}
        for column, values in of_images.items():
            self._columns.setdefault(column, array("d")).extend(values)

    @property
    def _rows(self) -> pd.DataFrame:
        """The rows of all images, as they came."""
        return self.rows.iloc[np.array(self._order)]

    def _images(self) -> list[dict[str, Any]]:
        """Return the table of images, one row per image, as they came."""
        rows, columns = self._rows, self._columns
        shown = {
            "path": rows["relative"],
            "class": rows["class"],
            "label": rows["label"].astype(int),
            "defect": rows["defect"],
        }
        table = {name: values.tolist() for name, values in shown.items()} | columns
        return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all batches, as arrays without objects, for `numpy.savez`."""
        parts: dict[str, ClassMetrics | ClassDetails | PixelMetrics | F1At | None] = {
            "metrics": self.metrics,
            "details": self.details,
            "pooled": self.pooled,
            **{f"at_threshold_{level}": f1 for level, f1 in self.at_threshold.items()},
        }
        return {
            "positions": np.array(self._order, np.int64),
            **{name: np.array(values, np.float64) for name, values in self._columns.items()},
            **{
                f"{name}/{key}": array
                for name, part in parts.items()
                if part is not None
                for key, array in part.state().items()
            },
        }

    def add_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Add the batches of another measurement of the class, whose `state` this is.

        The result is that of all batches in one measurement, bit for bit.

        Raises:
            ValueError: the other one has other metrics, quartiles or thresholds, or images that are here already;
                or an array is missing, or sizes do not fit together.
        """

        def of(name: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(f"{name}/"): array for key, array in state.items() if key.startswith(f"{name}/")}

        if np.isin(state["positions"], np.array(self._order, np.int64)).any():
            raise ValueError("some images are counted already")
        if self.details is not None:
            self.details.merge(ClassDetails.from_state(of("details")))
        self.metrics.merge(ClassMetrics.from_state(of("metrics")))
        if self.pooled is not None:
            self.pooled.merge(PixelMetrics.from_state(of("pooled")))
        for name, f1 in self.at_threshold.items():
            f1.merge(F1At.from_state(of(f"at_threshold_{name}"), f1.unit))
        parts = {key.removeprefix(PART): array for key, array in state.items() if key.startswith(PART)}
        self._list_images(state["positions"], state["score"], state["seconds"].tolist(), parts)

    def finish(self, step: Transductive) -> None:
        """Replace the image scores of all batches by those of a finishing step.

        Raises:
            CellError: the step fails, or its scores are not finite.
        """
        parts = {name: np.array(self._columns[f"{PART}{name}"], np.float64) for name in step.parts}
        scores = finished_scores(step, parts)
        labels, names = self._rows["label"].tolist(), self._rows["relative"].tolist()
        self.metrics.replace_scores(scores, labels)
        if self.details is not None:
            self.details.replace_scores(names, scores.tolist())
        if "image" in self.at_threshold:
            self.at_threshold["image"] = F1At(self.at_threshold["image"].threshold, "image")
            self.at_threshold["image"].update(scores, labels)
        self._columns["score"] = array("d", scores.tolist())

    def result(self, skipped: int, counts: Mapping[str, int]) -> ClassResult:
        """Compute the metrics of all batches.

        Args:
            skipped: images of the class that the data set lacks.
            counts: further counts of files and masks.
        """
        estimates = self.metrics.compute() | self._over_samples() | self._over_classes() | self._at_thresholds()
        ordered = {str(name): estimates[str(name)] for name in self.names}
        pixels = self.metrics.pixels
        details = self.details.compute(ordered, pixels) if self.details is not None and pixels else None
        anomalous = int(self.rows["label"].sum())
        images = {"normal": len(self.rows) - anomalous, "anomalous": anomalous}
        every_count = {**images, "regions": self.metrics.regions, "skipped": skipped, **counts}
        return ClassResult(ordered, every_count, self._images(), details, self.pooled.state() if self.pooled else {})

    def _over_samples(self) -> dict[str, Estimate]:
        """Compute the metrics in which all views of one object count as one image."""
        rows, scores = self._rows, self._columns["score"]
        return sample_estimates(self.names, scores, rows["label"].tolist(), rows["sample"].tolist())

    def _over_classes(self) -> dict[str, Estimate]:
        """Return the metrics over all classes, which are undefined for one class."""
        return {str(name): Estimate.undefined(NOT_PER_CLASS) for name in self.names if name.over == POOLED}

    def _at_thresholds(self) -> dict[str, Estimate]:
        """Compute F1 at thresholds from other images; undefined where there is no threshold."""
        estimates = {}
        for name in self.names:
            if name.over != AUX and name.kind != SEGF1:
                continue
            key, reason = (name.level, self.thresholds.reason)
            if name.kind == SEGF1:
                key, reason = SEGF1, self.thresholds.no_normal
            no_masks = name.level == "pixel" and self.details is None
            undefined = Estimate.undefined(NO_MASKS if no_masks else reason)
            estimates[str(name)] = self.at_threshold[key].compute() if key in self.at_threshold else undefined
        return estimates
