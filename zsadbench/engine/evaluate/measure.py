"""All that is measured of one class, batch by batch, whoever made its scores and maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
from zsadbench.metrics.names import AUX, POOLED

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.engine.encode.batches import Mask
    from zsadbench.engine.evaluate.maps import Map
    from zsadbench.engine.evaluate.thresholds import Thresholds
    from zsadbench.records.sidecars import Arrays

ELSEWHERE = "it is one number over all classes, not one a class"


class Measured(NamedTuple):
    """What one class gave: estimates by metric; details where it has masks; `pooled`, what the classes share."""

    estimates: dict[str, Estimate]
    details: Details | None
    pooled: Arrays


class Measurement:
    """Counts the images of one class.

    `rows` is the manifest of the class, `pixels` about how many there are in all, `area_quartiles` the quartiles of
    region area of the set; `thresholds` serve the metrics at a threshold from the auxiliary set.
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
        self.collected = ClassMetrics(self.names, masks=masked, mode=mode_for(pixels))
        self.details = ClassDetails(area_quartiles) if masked else None
        wants = {(name.level, name.over) for name in self.names}
        self.pooled = PixelMetrics(mode="stream") if masked and ("pixel", POOLED) in wants else None
        at = {"image": thresholds.image, "pixel": thresholds.pixel if masked else None}
        self.at = {level: F1At(cut, level) for level, cut in at.items() if cut is not None and (level, AUX) in wants}
        self._scores: list[float] = []
        self._places: list[int] = []

    @property
    def regions(self) -> int:
        """Regions in the masks seen so far."""
        return self.collected.regions

    def take(
        self,
        scores: NDArray[np.floating[Any]],
        places: NDArray[np.int64],
        maps: list[Map] | None,
        masks: list[Mask] | None,
    ) -> None:
        """Count one batch: image scores (n,), the places of the images in `rows`, maps and masks where there are any.

        Masks are labelled once for all that is made of them.
        """
        rows = self.rows.iloc[places]
        labels = rows["label"].to_numpy()
        images = self.collected.read(maps, masks)
        self.collected.take(scores, labels, images)
        if self.details is not None:
            defects = ["" if label == 0 else defect for label, defect in zip(labels, rows["defect"], strict=True)]
            self.details.take(rows["relative"].tolist(), scores.tolist(), images, defects, rows["view"].tolist())
        if self.pooled is not None:
            self.pooled.take(images)
        if "image" in self.at:
            self.at["image"].update(scores, labels)
        if "pixel" in self.at:
            self.at["pixel"].take(images)
        self._scores += scores.tolist()
        self._places += places.tolist()

    def result(self) -> Measured:
        """The measurements of all batches."""
        estimates = self.collected.compute() | self._over_samples() | self._pooled() | self._at_thresholds()
        ordered = {str(name): estimates[str(name)] for name in self.names}
        pixels = self.collected.pixels
        details = self.details.compute(ordered, pixels) if self.details is not None and pixels else None
        return Measured(ordered, details, self.pooled.state() if self.pooled is not None else {})

    def _over_samples(self) -> dict[str, Estimate]:
        """The metrics in which the views of one object count as one image."""
        rows = self.rows.iloc[self._places]
        return sample_estimates(self.names, self._scores, rows["label"].tolist(), rows["sample"].tolist())

    def _pooled(self) -> dict[str, Estimate]:
        return {str(name): Estimate.undefined(ELSEWHERE) for name in self.names if name.over == POOLED}

    def _at_thresholds(self) -> dict[str, Estimate]:
        found = {}
        for name in self.names:
            if name.over == AUX and name.level in self.at:
                found[str(name)] = self.at[name.level].compute()
            elif name.over == AUX:
                no_masks = name.level == "pixel" and self.details is None
                found[str(name)] = Estimate.undefined(NO_MASKS if no_masks else self.thresholds.reason)
        return found
