"""ClassDetails: parts, curves, regions and bootstrap counts of a class, collected in the same pass as its metrics.

The accumulator of the class reads an image; here the image is counted once in cells, and these counts serve both the
parts of the class and the bootstrap.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.cells import cells_of
from zsadbench.metrics.counting.image import Image, as_float32
from zsadbench.metrics.counting.threads import chunks, run_in_threads, threads_of
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
AXES = {"roc": ("fpr", "tpr"), "pr": ("recall", "precision"), "pro": ("fpr", "pro")}


class Details(NamedTuple):
    """The details of one class.

    `parts` by name; `curves` by name, each with two lists of fractions by the names of its axes; `intervals` by record
    key, at `LEVEL`; `spans` of the 200-threshold variants by limit, None if no threshold is kept; `regions` with
    overlaps at `RATES`; `spread` as from `BootstrapCounts.state`.
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
        self._subsets, self._overlaps, self._bootstrap = Subsets(edges), RegionOverlaps(), BootstrapCounts()
        self._threads = threads_of(threads)

    def take(
        self,
        names: Sequence[str],
        scores: Sequence[float],
        images: Sequence[Image],
        defects: Sequence[str],
        views: Sequence[str],
    ) -> None:
        """Add one batch of images that `ClassMetrics.read` has read.

        `names` identify the images; `defects` are empty for normal images, `views` are empty if there are none.
        """
        narrow = [as_float32(image)[0] for image in images]
        jobs = chunks(narrow, self._threads)
        counted = [cells for job in run_in_threads(lambda job: list(map(cells_of, job)), jobs) for cells in job]
        for name, score, image, cells, defect, view in zip(names, scores, narrow, counted, defects, views, strict=True):
            self._subsets.take(image, cells, defect, view, score)
            self._overlaps.take(name, image)
            self._bootstrap.take(name, score, bool(defect), image, cells)

    def replace_scores(self, names: Sequence[str], scores: Sequence[float]) -> None:
        """Replace the image scores of all images, in the order in which they were taken."""
        self._subsets.replace_scores(scores)
        self._bootstrap.replace_scores(dict(zip(names, scores, strict=True)))

    def merge(self, other: Self) -> Self:
        """Add all images of another, which come after those so far, and return self.

        Raises:
            ValueError: both have an image of the same name, or the edges differ.
        """
        self._bootstrap.merge(other._bootstrap)
        self._subsets.merge(other._subsets)
        self._overlaps.merge(other._overlaps)
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all images, as arrays without objects, for `numpy.savez`."""
        states = {name: part.state() for name, part in self._parts().items()}
        return {f"{name}/{key}": array for name, state in states.items() for key, array in state.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the details whose `state` this is.

        Raises:
            ValueError: an array is missing, or their sizes do not fit together.
        """
        restored = cls()
        for name, part in restored._parts().items():
            own = {key.removeprefix(f"{name}/"): array for key, array in state.items() if key.startswith(f"{name}/")}
            setattr(restored, f"_{name}", type(part).from_state(own))
        return restored

    def _parts(self) -> dict[str, Subsets | RegionOverlaps | BootstrapCounts]:
        """Return the collectors by name."""
        return {"subsets": self._subsets, "overlaps": self._overlaps, "bootstrap": self._bootstrap}

    def compute(self, estimates: dict[str, Estimate], pixels: PixelMetrics) -> Details:
        """All details; `estimates` by record key and `pixels` are those of the whole class."""
        groups, curve = pixels.tables()
        total = groups.counts.normals + groups.counts.anomalies
        prevalence = groups.counts.anomalies / total if total else None
        names = map(parse_metric, estimates)
        limits = dict.fromkeys(name.limit for name in names if name.kind in VARIANTS)
        return Details(
            parts={"class": Part(estimates, prevalence, len(self._bootstrap.labels))} | self._subsets.compute(),
            curves={
                name: dict(zip(AXES[name], (np.asarray(axis).tolist() for axis in points), strict=True))
                for name, points in pixels.curves(POINTS).items()
            },
            intervals=self._intervals(estimates),
            spans={spell_limit(limit): span_at(curve, limit) for limit in limits if limit is not None},
            regions=self._overlaps.table(groups, RATES),
            spread=self._bootstrap.state(),
        )

    def _intervals(self, estimates: dict[str, Estimate]) -> dict[str, tuple[float, float]]:
        """Return the interval of every metric that is defined and can be resampled, by record key."""
        intervals = {}
        for key, deviations in self._bootstrap.deviations(DRAWS, SEED).items():
            value = estimates[key].value if key in estimates else None
            if value is not None:
                intervals[key] = interval(value, deviations, LEVEL)
        return intervals
