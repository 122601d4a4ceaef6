"""What a class is looked at with besides its metrics: parts, curves, regions, intervals, in the same pass.

An image is read once, by the accumulator of the class; here it is counted once in cells, from which both its parts and
the spread of its class are made.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zsadbench.metrics.counting.cells import cells_of
from zsadbench.metrics.counting.image import Image, as_float32
from zsadbench.metrics.counting.threads import ranges, side_by_side, threads_of
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.intervals import BootstrapCounts, interval
from zsadbench.metrics.names import parse_metric, spell_limit
from zsadbench.metrics.overlaps import RATES, Region, RegionOverlaps
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.pro200 import VARIANTS
from zsadbench.metrics.subsets import Part, Subsets
from zsadbench.metrics.variants import Span, span_at

POINTS = 200
LEVEL = 0.95
DRAWS = 1000
SEED = 0


class Details(NamedTuple):
    """The details of one class.

    `parts` by name; `curves` by name, each a pair of lists of fractions by their names; `intervals` by record key, at
    `LEVEL`; `spans` of the 200-threshold variants by limit, None where no threshold is kept; `regions` with overlaps at
    `RATES`; `spread` as `Spread.state` gives it.
    """

    parts: dict[str, Part]
    curves: dict[str, dict[str, list[float]]]
    intervals: dict[str, tuple[float, float]]
    spans: dict[str, Span | None]
    regions: list[Region]
    spread: dict[str, Any]


class ClassDetails:
    """Collects the details of one class; `edges` as in `Subsets`.

    Raises:
        ValueError: the edges do not ascend.
    """

    def __init__(self, edges: Sequence[float] | None = None, *, threads: int | None = None) -> None:
        self._subsets, self._overlaps, self._spread = Subsets(edges), RegionOverlaps(), BootstrapCounts()
        self._threads = threads_of(threads)

    def take(
        self,
        names: Sequence[str],
        scores: Sequence[float],
        images: Sequence[Image],
        defects: Sequence[str],
        views: Sequence[str],
    ) -> None:
        """Take in one batch of images that `ClassMetrics.read` has read.

        `names` tell an image from all others, `defects` are empty for normal images, `views` where there are none.
        """
        narrow = [as_float32(image)[0] for image in images]
        jobs = ranges(narrow, self._threads)
        counted = [one for job in side_by_side(lambda job: [cells_of(image) for image in job], jobs) for one in job]
        for name, score, image, cells, defect, view in zip(names, scores, narrow, counted, defects, views, strict=True):
            self._subsets.take(image, cells, defect, view, score)
            self._overlaps.take(name, image)
            self._spread.take(name, score, bool(defect), image, cells)

    def compute(self, estimates: dict[str, Estimate], pixels: PixelMetrics) -> Details:
        """All details; `estimates` by record key and `pixels` are those of the whole class."""
        return Details(
            parts={"class": self._whole(estimates, pixels)} | self._subsets.compute(),
            curves=_curves(pixels),
            intervals=self._intervals(estimates),
            spans=_spans(estimates, pixels),
            regions=self._overlaps.table(pixels.groups(), RATES),
            spread=self._spread.state(),
        )

    def _whole(self, estimates: dict[str, Estimate], pixels: PixelMetrics) -> Part:
        counts = pixels.groups().counts
        total = counts.normals + counts.anomalies
        return Part(estimates, counts.anomalies / total if total else None, len(self._spread.labels))

    def _intervals(self, estimates: dict[str, Estimate]) -> dict[str, tuple[float, float]]:
        found = {}
        for key, deviations in self._spread.deviations(DRAWS, SEED).items():
            value = estimates[key].value if key in estimates else None
            if value is not None:
                found[key] = interval(value, deviations, LEVEL)
        return found


def _spans(estimates: Iterable[str], pixels: PixelMetrics) -> dict[str, Span | None]:
    """The spans at every limit at which a 200-threshold variant was asked for."""
    names, curve = map(parse_metric, estimates), pixels.tables()[1]
    limits = dict.fromkeys(name.limit for name in names if name.kind in VARIANTS)
    return {spell_limit(limit): span_at(curve, limit) for limit in limits if limit is not None}


def _curves(pixels: PixelMetrics) -> dict[str, dict[str, list[float]]]:
    """The curves by the names of their axes."""
    axes = {"roc": ("fpr", "tpr"), "pr": ("recall", "precision"), "pro": ("fpr", "pro")}
    return {
        name: {axis: np.asarray(values).tolist() for axis, values in zip(axes[name], curve, strict=True)}
        for name, curve in pixels.curves(POINTS).items()
    }
