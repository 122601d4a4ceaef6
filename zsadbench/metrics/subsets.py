"""Parts of a class in one pass: by defect type, by view, by the area of regions.

What is normal in a part is written down once, here. Of a defect type, and of a quartile of areas: all
normal images of the class, and the normal pixels of the images that show the defect, or have a region of the
quartile. Pixels of other regions are ignored, never counted as normal. A view's are those of its own images
alone. So a part differs from its class in what is to be found, hardly in what may be mistaken for it.

Quartiles are of region area over image area in the ground truth of the whole data set (`area_edges`), so
they are the same for every method; a region on an edge belongs to the smaller quartile. Average precision
and F1 depend on how rare anomalies are: they are read beside the prevalence of the part.

Images of one view, one defect type and the same quartiles are counted together, normal pixels and those of
each quartile apart; a part is the sum of some of these.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from zsadbench.metrics._arguments import Images, checked_connectivity, labelled
from zsadbench.metrics._image import Image, extremes, read
from zsadbench.metrics._threads import threads_of
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.ranked import image_metrics
from zsadbench.metrics.regions import label_regions

CLASS = "class"


class Part(NamedTuple):
    """The metrics of a part by their record keys, and how rare anomalous pixels are in it (None without a pixel)."""

    estimates: dict[str, Estimate]
    prevalence: float | None
    images: int


class _Kind(NamedTuple):
    """What the images of one collection share; no defect is a normal image."""

    view: str
    defect: str
    quartiles: tuple[int, ...]


class _Collection:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.scores: list[float] = []
        self.normal = PixelMetrics(**settings)
        self.regions: dict[int, PixelMetrics] = {}


def area_edges(masks: Iterable[ArrayLike], connectivity: int = 8) -> tuple[float, float, float]:
    """The quartiles of region area over image area, from every mask of a data set.

    Raises:
        ValueError: no mask has a region.
    """
    fractions: list[float] = []
    for mask in masks:
        labels, _ = label_regions(mask, connectivity)
        fractions += (np.bincount(labels.ravel())[1:] / labels.size).tolist()
    if not fractions:
        raise ValueError("no mask has a region, so there are no quartiles of areas")
    low, middle, high = np.quantile(fractions, (0.25, 0.5, 0.75)).tolist()
    return low, middle, high


class Subsets:
    """The metrics of the parts of one class.

    `edges` are those of `area_edges`, None where areas shall not divide the class; `mode`, `bits`,
    `connectivity`, `threads` and `limit` are those of `PixelMetrics`.

    Raises:
        ValueError: edges do not ascend, or a setting cannot be right.
    """

    def __init__(self, edges: Sequence[float] | None = None, **settings: Any) -> None:
        self.edges = np.asarray(edges if edges is not None else (), np.float64)
        if (np.diff(self.edges) < 0).any():
            raise ValueError(f"edges must ascend, not {self.edges.tolist()}")
        self._settings = settings
        self._corners = checked_connectivity(settings.get("connectivity", 8))
        self._threads = threads_of(settings.get("threads"))
        self._collections: dict[_Kind, _Collection] = {}

    def update(
        self,
        image_scores: ArrayLike,
        defects: Sequence[str],
        maps: Images,
        masks: Images,
        views: Sequence[str] | None = None,
    ) -> None:
        """Take in one batch; after an error nothing of it has been taken in.

        `defects` names the defect type of each image, empty for a normal one; `views` where each was taken
        from. The others are those of `ClassMetrics.update`.

        Raises:
            ValueError: as in `ClassMetrics.update`, or a normal image has an anomalous pixel.
        """
        images = read(maps, masks, self._corners, self._threads)
        seen = views if views is not None else [""] * len(images)
        scores = np.asarray(image_scores, np.float64)
        if not len(images) == len(defects) == len(seen) == scores.size:
            raise ValueError(f"{len(images)} maps, {len(defects)} defects, {len(seen)} views, {scores.size} scores")
        labelled(scores, [bool(defect) for defect in defects], ndim=1)
        for index, (image, defect) in enumerate(zip(images, defects, strict=True)):
            if len(image.areas) and not defect:
                raise ValueError(f"masks[{index}] has an anomalous pixel, but the image names no defect")
        for image, defect, view, score in zip(images, defects, seen, scores.tolist(), strict=True):
            self._take(image, defect, view, score)

    def merge(self, other: Self) -> Self:
        """Take in everything that `other` has seen, and return self.

        Raises:
            ValueError: edges or settings differ.
        """
        if not np.array_equal(self.edges, other.edges):
            raise ValueError("subsets differ in the edges of their quartiles")
        for kind, theirs in other._collections.items():
            mine = self._collection(kind)
            mine.scores += theirs.scores
            mine.normal.merge(theirs.normal)
            for quartile, regions in theirs.regions.items():
                mine.regions.setdefault(quartile, PixelMetrics(**self._settings)).merge(regions)
        return self

    def compute(self) -> dict[str, Part]:
        """Every part by its name: `class`, `view=top`, `defect=scratch`, `area=1` (the smallest regions) … `area=4`."""
        kinds = list(self._collections)
        found = {CLASS: self._part([(kind, None) for kind in kinds])}
        for view in sorted({kind.view for kind in kinds if kind.view}):
            found[f"view={view}"] = self._part([(kind, None) for kind in kinds if kind.view == view])
        for defect in sorted({kind.defect for kind in kinds if kind.defect}):
            found[f"defect={defect}"] = self._part([(kind, None) for kind in kinds if kind.defect in ("", defect)])
        for quartile in sorted({one for kind in kinds for one in kind.quartiles} if self.edges.size else ()):
            chosen = [kind for kind in kinds if not kind.defect or quartile in kind.quartiles]
            found[f"area={quartile + 1}"] = self._part([(kind, quartile) for kind in chosen])
        return found

    def _take(self, image: Image, defect: str, view: str, score: float) -> None:
        quartiles = np.searchsorted(self.edges, image.areas / max(image.scores.size, 1), side="left")
        collection = self._collection(_Kind(view, defect, tuple(sorted(set(quartiles.tolist())))))
        collection.scores.append(score)
        collection.normal.take([_normal_only(image)])
        for quartile in set(quartiles.tolist()):
            regions = collection.regions.setdefault(quartile, PixelMetrics(**self._settings))
            regions.take([_regions_only(image, quartiles == quartile)])

    def _collection(self, kind: _Kind) -> _Collection:
        return self._collections.setdefault(kind, _Collection(self._settings))

    def _part(self, chosen: Sequence[tuple[_Kind, int | None]]) -> Part:
        """The sum of some collections, of their regions those of one quartile where one is given."""
        whole = PixelMetrics(**self._settings)
        scores: list[float] = []
        labels: list[bool] = []
        for kind, quartile in sorted(chosen):
            collection = self._collections[kind]
            whole.merge(collection.normal)
            for number, regions in collection.regions.items():
                if quartile in (None, number):
                    whole.merge(regions)
            scores += collection.scores
            labels += [bool(kind.defect)] * len(collection.scores)
        counts = whole.groups().counts
        pixels = counts.normals + counts.anomalies
        found = {f"image_{key}": one for key, one in image_metrics(scores, labels).items()}
        found |= {f"pixel_{key}": one for key, one in whole.compute().items()}
        return Part(found, counts.anomalies / pixels if pixels else None, len(scores))


def _normal_only(image: Image) -> Image:
    scores = image.scores[~image.flags]
    return Image(scores, image.runs[:0], image.areas[:0], *extremes(scores))


def _regions_only(image: Image, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Image:
    """The pixels of some regions and no other pixel, with the areas that they have in the image."""
    runs = image.runs[chosen[image.runs[:, 2]]]
    scores = np.concatenate([image.scores[start:stop] for start, stop, _ in runs.tolist()])
    ends = (runs[:, 1] - runs[:, 0]).cumsum()
    numbers = np.cumsum(chosen) - 1
    moved = np.column_stack([ends - (runs[:, 1] - runs[:, 0]), ends, numbers[runs[:, 2]]])
    return Image(scores, moved, image.areas[chosen], *extremes(scores))
