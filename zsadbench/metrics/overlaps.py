"""The overlap of every region at fixed false positive rates.

At a rate, the threshold is the lowest anomalous score whose false positive rate does not exceed it, as on the curve of
AUPRO. Up to 256 scores of every region are kept, evenly spaced in rank, so the overlap of regions of up to 256 pixels
is exact, and that of larger ones is off by at most 1/256; a region takes 1 KB, in a temporary file where they are many.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity, checked_limit
from zsadbench.metrics.counting.arrays import Floats, Images
from zsadbench.metrics.counting.groups import Groups
from zsadbench.metrics.counting.image import Image, read_images
from zsadbench.metrics.counting.spill_buffer import SmallArrays

KEPT = 256  # scores per region
RATES = (0.01, 0.05, 0.1, 0.3)


class Place(NamedTuple):
    """Where the scores of a region are kept: their position, their number and their type."""

    position: int
    number: int
    dtype: np.dtype[Any]


class Region(NamedTuple):
    """One region: the name of its image, its area in pixels, its area over that of the image, its overlap at each rate.

    `border` is the number of pixels between the region and the nearest border of its image.
    """

    image: str
    area: int
    fraction: float
    border: int
    overlaps: tuple[float, ...]


class RegionOverlaps:
    """Collects the regions of a class, batch by batch; thresholds are applied once the class is complete.

    >>> from zsadbench.metrics.pixels import PixelMetrics
    >>> scores, masks = [[[0.9, 0.8, 0.1], [0.3, 0.2, 0.1]]], [[[1, 1, 0], [1, 0, 0]]]
    >>> regions, metrics = RegionOverlaps(), PixelMetrics()
    >>> regions.update(scores, masks, ["a.png"]), metrics.update(scores, masks)
    (None, None)
    >>> regions.table(metrics.groups(), [0.0])
    [Region(image='a.png', area=3, fraction=0.5, border=0, overlaps=(1.0,))]

    Raises:
        ValueError: the connectivity is neither 4 nor 8.
    """

    def __init__(self, *, connectivity: int = 8) -> None:
        self._corners = checked_connectivity(connectivity)
        self._regions: list[tuple[str, int, float, int, Place]] = []
        self._scores = SmallArrays()

    def update(self, scores: Images, masks: Images, names: Sequence[str]) -> None:
        """Add the regions of one batch; `scores` and `masks` as in `PixelMetrics.update`, one name per image.

        Raises:
            ValueError: as in `PixelMetrics.update`, or the numbers of names and images differ.
        """
        images = read_images(scores, masks, self._corners, 1)
        if len(names) != len(images):
            raise ValueError(f"{len(images)} images but {len(names)} names")
        for name, image in zip(names, images, strict=True):
            self.take(name, image)

    def take(self, name: str, image: Image) -> None:
        """Add the regions of one image that `PixelMetrics.read` has read."""
        self._regions += [
            (name, scores.size, scores.size / image.scores.size, border, self._kept(_thinned(np.sort(scores))))
            for scores, border in zip(image.scores_by_region(), image.border_distances.tolist(), strict=True)
        ]

    def _kept(self, scores: Floats) -> Place:
        """Keep the scores of a region, and return where."""
        return Place(self._scores.put(scores), scores.size, scores.dtype)

    def _of(self, place: Place) -> Floats:
        """Return the scores of a region, ascending."""
        return self._scores.get(*place)

    def merge(self, other: Self) -> Self:
        """Add the regions of another, and return self."""
        for name, area, fraction, border, place in other._regions:
            self._regions.append((name, area, fraction, border, self._kept(other._of(place))))
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all regions, as arrays without objects."""
        scores = [self._of(region[-1]) for region in self._regions]
        return {
            "names": np.array([region[0] for region in self._regions], np.str_),
            "areas": np.array([region[1] for region in self._regions], np.int64),
            "fractions": np.array([region[2] for region in self._regions], np.float64),
            "borders": np.array([region[3] for region in self._regions], np.int64),
            "scores": np.concatenate([np.empty(0, np.float32), *scores]),
            "scores_of_region": np.array([kept.size for kept in scores], np.int64),
            "corners": np.array(self._corners),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the regions whose `state` this is.

        Raises:
            ValueError: the sizes of the arrays do not fit together.
        """
        restored = cls(connectivity=8 if state["corners"] else 4)
        columns = [state[name].tolist() for name in ("names", "areas", "fractions", "borders")]
        scores = np.split(state["scores"], state["scores_of_region"].cumsum()[:-1])
        places = [restored._kept(of_region) for of_region in scores[: len(columns[0])]]
        restored._regions = list(zip(*columns, places, strict=True))
        return restored

    def table(self, groups: Groups, rates: Iterable[float] = RATES) -> list[Region]:
        """Every region with its overlap at each rate, sorted by image and area; `groups` are those of the class.

        Raises:
            ValueError: a rate is not in [0, 1].
        """
        thresholds = [_threshold(groups, rate if rate == 0 else checked_limit(rate)) for rate in rates]
        rows = [
            Region(name, area, fraction, border, _shares(self._of(place), thresholds))
            for name, area, fraction, border, place in self._regions
        ]
        return sorted(rows)


def _shares(scores: Floats, thresholds: Iterable[float]) -> tuple[float, ...]:
    """Return the share of the scores that each threshold flags."""
    return tuple(float((scores >= cut).mean()) for cut in thresholds)


def _thinned(ascending: Floats) -> Floats:
    if ascending.size <= KEPT:
        return ascending
    ranks = ((np.arange(KEPT) + 0.5) * ascending.size / KEPT).astype(np.int64)
    return ascending[ranks]


def _threshold(groups: Groups, rate: float) -> float:
    """Return the lowest score that flags no more normal pixels than the rate allows; infinite if none does."""
    allowed = np.flatnonzero(groups.counts.greater + groups.counts.equal <= rate * groups.counts.normals)
    return float(groups.least[allowed[0]]) if allowed.size else np.inf
