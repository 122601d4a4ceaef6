"""Parts of a class in one pass: by defect type, by view, by area, number and place of regions.

What is normal in a part is written down once, here. Of every part but a view: all normal images of the class, and
the normal pixels of the images that show the defect, or have a region of the part. Pixels of other regions are
ignored, never counted as normal. A view's are those of its own images alone. So a part differs from its class in
what is to be found, hardly in what may be mistaken for it. Average precision and F1 depend on how rare anomalies
are: they are read beside the prevalence of the part.

    view=NAME           images from one side
    defect=NAME         images with this type of defect
    area=1 … area=4     regions by quartile of region area over image area, the smallest first; the quartiles are those
                        of the ground truth of the whole data set (`area_quartiles`), the same for every method, and a
                        region on an edge belongs to the smaller one
    regions=1 2 3-5 6+  images by their number of regions
    border=touching     regions that reach the first or last row or column of their image;
    border=near         … that do not, but come closer to it than a tenth of the image's shorter side;
    border=far          … that stay farther away

Each image is counted once in cells (`_cells`), so numbers of a part have bounds, narrow ones, that meet where
scores are coarse. Memory does not grow with the number of images.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import Images, checked_connectivity, checked_limit, labelled
from zsadbench.metrics.counting.cells import Bools, Cells, Extreme, Table, cells_of
from zsadbench.metrics.counting.image import Image, as_float32, read
from zsadbench.metrics.counting.threads import threads_of
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.rank_metrics import image_metrics
from zsadbench.metrics.regions import region_areas

NEAR = 0.1  # of the shorter side
BORDERS = ("touching", "near", "far")
NUMBERS = {1: "1", 2: "2", 3: "3-5", 4: "3-5", 5: "3-5"}


class Part(NamedTuple):
    """The metrics of a part by their record keys, and how rare anomalous pixels are in it (None without a pixel)."""

    estimates: dict[str, Estimate]
    prevalence: float | None
    images: int


class _Sum:
    """The images of a part, or the normal ones that parts share."""

    def __init__(self) -> None:
        self.table = Table()
        self.scores: list[float] = []

    def merge(self, other: Self) -> None:
        self.table.merge(other.table)
        self.scores += other.scores


def area_quartiles(masks: Iterable[ArrayLike], connectivity: int = 8) -> tuple[float, float, float]:
    """The quartiles of region area over image area, from every mask of a data set.

    Raises:
        ValueError: no mask has a region.
    """
    fractions: list[float] = []
    for mask in masks:
        fractions += (region_areas(mask, connectivity) / np.size(mask)).tolist()
    if not fractions:
        raise ValueError("no mask has a region, so there are no quartiles of areas")
    low, middle, high = np.quantile(fractions, (0.25, 0.5, 0.75)).tolist()
    return low, middle, high


class Subsets:
    """The metrics of the parts of one class.

    `edges` are those of `area_quartiles`, None where areas shall not divide the class; `limit`, `connectivity` and
    `threads` are those of `PixelMetrics`.

    Raises:
        ValueError: edges do not ascend, or a setting cannot be right.
    """

    def __init__(
        self,
        edges: Sequence[float] | None = None,
        *,
        limit: float = DEFAULT_LIMIT,
        connectivity: int = 8,
        threads: int | None = None,
    ) -> None:
        self.edges = np.asarray(edges if edges is not None else (), np.float64)
        if (np.diff(self.edges) < 0).any():
            raise ValueError(f"edges must ascend, not {self.edges.tolist()}")
        self.limit, self.connectivity = checked_limit(limit), connectivity
        self._corners, self._threads = checked_connectivity(connectivity), threads_of(threads)
        self._normal: dict[str, _Sum] = {}  # by view
        self._parts: dict[str, _Sum] = {}
        self._least = self._greatest = -1
        self._union, self._rounded = 0, False

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
            narrow, rounded = as_float32(image)
            self._rounded |= rounded
            self.take(narrow, cells_of(narrow), defect, view, score)

    def take(self, image: Image, cells: Cells, defect: str, view: str, score: float) -> None:
        """Take in one image that was read, checked and counted already; its scores are float32."""
        least, greatest = self._extremes(image, cells)
        self._union |= image.union
        for one, chosen in self._sums(image, defect, view):
            one.table.add(image, cells, chosen, least, greatest)
            one.scores.append(score)

    def merge(self, other: Self) -> Self:
        """Take in everything that `other` has seen, and return self.

        Raises:
            ValueError: edges or settings differ.
        """
        if not np.array_equal(self.edges, other.edges):
            raise ValueError("subsets differ in the edges of their quartiles")
        if (self.limit, self.connectivity) != (other.limit, other.connectivity):
            raise ValueError("subsets differ in limit or connectivity")
        for mine, theirs in ((self._normal, other._normal), (self._parts, other._parts)):
            for name, one in theirs.items():
                mine.setdefault(name, _Sum()).merge(one)
        self._least = min((key for key in (self._least, other._least) if key >= 0), default=-1)
        self._greatest = max(self._greatest, other._greatest)
        self._union, self._rounded = self._union | other._union, self._rounded | other._rounded
        return self

    def compute(self) -> dict[str, Part]:
        """Every part that has an anomalous image, and every view, by its name; views first, then by name."""
        views = {f"view={view}" for view in self._normal if view}
        names = sorted(views | self._parts.keys(), key=lambda name: (not name.startswith("view="), name))
        return {name: self._part(name) for name in names}

    def _extremes(self, image: Image, cells: Cells) -> tuple[Extreme | None, Extreme | None]:
        """The pixels of the least and of the greatest score of all images so far, where this image has them."""
        if cells.least < 0:
            return None, None
        self._least = cells.least if self._least < 0 else min(self._least, cells.least)
        self._greatest = max(self._greatest, cells.greatest)
        least = Extreme.of(image, cells.least) if cells.least == self._least else None
        return least, Extreme.of(image, cells.greatest) if cells.greatest == self._greatest else None

    def _sums(self, image: Image, defect: str, view: str) -> Iterator[tuple[_Sum, Bools]]:
        """Where an image is to be added, and which of its regions."""
        every = np.ones(len(image.areas), np.bool_)
        if not defect:
            yield self._normal.setdefault(view, _Sum()), every
            return
        for name, chosen in self._belongs(image, defect, view, every):
            yield self._parts.setdefault(name, _Sum()), chosen

    def _belongs(self, image: Image, defect: str, view: str, every: Bools) -> Iterator[tuple[str, Bools]]:
        if view:
            yield f"view={view}", every
        yield f"defect={defect}", every
        if not every.size:
            return
        yield f"regions={NUMBERS.get(every.size, '6+')}", every
        places = _places(image)
        kinds = [("border", place, BORDERS[place]) for place in sorted(set(places.tolist()))]
        for kind, place, name in kinds:
            yield f"{kind}={name}", places == place
        if self.edges.size:
            quartiles = np.searchsorted(self.edges, image.areas / image.scores.size, side="left")
            for quartile in sorted(set(quartiles.tolist())):
                yield f"area={quartile + 1}", quartiles == quartile

    def _part(self, name: str) -> Part:
        """The images of a part, with the normal ones that it is measured against."""
        table, normal, anomalous = Table(), [], []
        for view, shared in sorted(self._normal.items()):
            if not name.startswith("view=") or name == f"view={view}":
                table.merge(shared.table)
                normal += shared.scores
        if name in self._parts:
            table.merge(self._parts[name].table)
            anomalous = self._parts[name].scores
        pixels = self._pixels(table)
        counts = pixels.groups().counts
        total = counts.normals + counts.anomalies
        labels = [0] * len(normal) + [1] * len(anomalous)
        found = {f"image_{key}": one for key, one in image_metrics([*normal, *anomalous], labels).items()}
        found |= {f"pixel_{key}": one for key, one in pixels.compute().items()}
        return Part(found, counts.anomalies / total if total else None, len(labels))

    def _pixels(self, table: Table) -> PixelMetrics:
        settings = {"limit": self.limit, "mode": "stream", "bits": 32, "connectivity": self.connectivity}
        state = table.state(self._least, self._greatest, self._union, rounded=self._rounded)
        return PixelMetrics.from_state({key: np.array(value) for key, value in settings.items()} | state)


def _places(image: Image) -> NDArray[np.int64]:
    """How far each region is from the border: 0 touching, 1 near, 2 far."""
    shorter, distances = min(image.width, image.scores.size // image.width), image.borders
    return np.where(distances == 0, 0, np.where(distances < NEAR * shorter, 1, 2))
