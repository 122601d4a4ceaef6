"""Parts of a class in one pass: by defect type, view, and the area, number and position of regions.

The negatives of a part are all normal images of the class, and the normal pixels of the images that show the defect, or
have a region of the part. Pixels of other regions are ignored, never counted as normal. The negatives of a view are
those of its own images alone. So a part differs from its class in what is to be detected, and hardly in what may be
mistaken for it. Average precision and F1 depend on how rare anomalies are: read them together with the prevalence of
the part.

    view=NAME           images of one view
    defect=NAME         images with this type of defect
    area=1 … area=4     regions by quartile of region area over image area, the smallest first; the quartiles are those
                        of the ground truth of the whole data set (`area_quartiles`), the same for every method; a
                        region whose area equals an edge belongs to the smaller quartile
    regions=1 2 3-5 6+  images by their number of regions
    border=touching     regions that reach the first or last row or column of their image
    border=near         regions that do not, but come closer to it than a tenth of the image's shorter side
    border=far          regions that stay farther away

Each image is counted once in cells (`counting.cells`), so the numbers of a part have bounds. They are narrow, and meet
if scores are coarse. Memory does not grow with the number of images, but for one score per image.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import checked_connectivity, checked_limit, split_by_label
from zsadbench.metrics.counting.arrays import Bools, Images
from zsadbench.metrics.counting.cells import Cells, CellSums, ImageExtreme, cells_of, pack, unpack
from zsadbench.metrics.counting.image import Image, as_float32, read_images
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
    """The metrics of a part by record key, its prevalence of anomalous pixels (None without a pixel), its images."""

    estimates: dict[str, Estimate]
    prevalence: float | None
    images: int


class _Accumulated:
    """Pixel counts and numbers of some images: the anomalous ones of a part, or the normal ones of a view."""

    def __init__(self) -> None:
        self.pixels = CellSums()
        self.images: list[int] = []

    def merge(self, other: Self, first: int) -> None:
        self.pixels.merge(other.pixels)
        self.images += [first + number for number in other.images]


def area_quartiles(masks: Iterable[ArrayLike], connectivity: int = 8) -> tuple[float, float, float]:
    """The quartiles of region area over image area, from all masks (height, width) of a data set.

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

    `edges` are those of `area_quartiles`, None for no parts by area; `limit`, `connectivity` and `threads` are those of
    `PixelMetrics`.

    Raises:
        ValueError: edges do not ascend, or a setting is invalid.
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
        self._normal: dict[str, _Accumulated] = {}  # by view
        self._anomalous: dict[str, _Accumulated] = {}  # by part
        self._scores: list[float] = []  # by number of the image
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
        """Add one batch; after an error nothing of it has been added.

        `defects` names the defect type of each image, empty for a normal one; `views` names the view of each. The
        others are those of `ClassMetrics.update`.

        Raises:
            ValueError: as in `ClassMetrics.update`, or a normal image has an anomalous pixel.
        """
        images = read_images(maps, masks, self._corners, self._threads)
        view_names = views if views is not None else [""] * len(images)
        scores = np.asarray(image_scores, np.float64)
        if not len(images) == len(defects) == len(view_names) == scores.size:
            numbers = f"{len(images)} maps, {len(defects)} defects, {len(view_names)} views, {scores.size} scores"
            raise ValueError(numbers)
        split_by_label(scores, [bool(defect) for defect in defects], ndim=1)
        for index, (image, defect) in enumerate(zip(images, defects, strict=True)):
            if len(image.areas) and not defect:
                raise ValueError(f"masks[{index}] has an anomalous pixel, but the image names no defect")
        for image, defect, view, score in zip(images, defects, view_names, scores.tolist(), strict=True):
            narrow, rounded = as_float32(image)
            self._rounded |= rounded
            self.take(narrow, cells_of(narrow), defect, view, score)

    def take(self, image: Image, cells: Cells, defect: str, view: str, score: float) -> None:
        """Add one image that was read, checked and counted already; its scores are float32."""
        least, greatest = self._extremes(image, cells)
        self._union |= image.union
        every = np.ones(len(image.areas), np.bool_)
        if defect:
            parts = [
                (self._anomalous.setdefault(name, _Accumulated()), chosen)
                for name, chosen in self._parts_of(image, defect, view, every)
            ]
        else:
            parts = [(self._normal.setdefault(view, _Accumulated()), every)]
        for part, chosen in parts:
            part.pixels.add(image, cells, chosen, least, greatest)
            part.images.append(len(self._scores))
        self._scores.append(score)

    def replace_scores(self, scores: Sequence[float]) -> None:
        """Replace the image scores of all images, in the order in which they were added.

        Raises:
            ValueError: the number of scores is not that of the images.
        """
        if len(scores) != len(self._scores):
            raise ValueError(f"{len(scores)} scores replace {len(self._scores)}")
        self._scores = list(scores)

    def merge(self, other: Self) -> Self:
        """Add all images of `other`, and return self.

        Raises:
            ValueError: edges or settings differ.
        """
        if not np.array_equal(self.edges, other.edges):
            raise ValueError("subsets differ in the edges of their quartiles")
        if (self.limit, self.connectivity) != (other.limit, other.connectivity):
            raise ValueError("subsets differ in limit or connectivity")
        for own, others in ((self._normal, other._normal), (self._anomalous, other._anomalous)):
            for name, accumulated in others.items():
                own.setdefault(name, _Accumulated()).merge(accumulated, len(self._scores))
        self._scores += other._scores
        self._least = min((key for key in (self._least, other._least) if key >= 0), default=-1)
        self._greatest = max(self._greatest, other._greatest)
        self._union, self._rounded = self._union | other._union, self._rounded | other._rounded
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all images, as arrays without objects."""
        parts = [*self._normal.values(), *self._anomalous.values()]
        return {
            "edges": self.edges,
            "settings": np.array([self.limit, self.connectivity]),
            "scores": np.array(self._scores, np.float64),
            "extremes": np.array([self._least, self._greatest], np.int64),
            "union": np.array(self._union, np.uint32),
            "rounded": np.array(self._rounded),
            "views": np.array(list(self._normal), np.str_),
            "parts": np.array(list(self._anomalous), np.str_),
            "images": np.array([number for part in parts for number in part.images], np.int64),
            "images_of_part": np.array([len(part.images) for part in parts], np.int64),
            **pack([part.pixels for part in parts]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the subsets whose `state` this is.

        Raises:
            ValueError: the sizes of the arrays do not fit together.
        """
        limit, connectivity = state["settings"].tolist()
        restored = cls(state["edges"].tolist(), limit=limit, connectivity=int(connectivity))
        views, names = state["views"].tolist(), state["parts"].tolist()
        images = np.split(state["images"], state["images_of_part"].cumsum()[:-1])
        groups = [*((restored._normal, view) for view in views), *((restored._anomalous, name) for name in names)]
        for (group, name), sums, numbers in zip(groups, unpack(state), images[: len(groups)], strict=True):
            group[name] = _Accumulated()
            group[name].pixels, group[name].images = sums, numbers.tolist()
        restored._scores = state["scores"].tolist()
        restored._least, restored._greatest = state["extremes"].tolist()
        restored._union, restored._rounded = int(state["union"]), bool(state["rounded"])
        return restored

    def compute(self) -> dict[str, Part]:
        """Every part that has an anomalous image, and every view, by name; views first, then in order of names."""
        views = {f"view={view}" for view in self._normal if view}
        names = sorted(views | self._anomalous.keys(), key=lambda name: (not name.startswith("view="), name))
        return {name: self._part(name) for name in names}

    def _extremes(self, image: Image, cells: Cells) -> tuple[ImageExtreme | None, ImageExtreme | None]:
        """Return the pixels with the least and the greatest score of all images so far, if this image has some."""
        if cells.least < 0:
            return None, None
        self._least = cells.least if self._least < 0 else min(self._least, cells.least)
        self._greatest = max(self._greatest, cells.greatest)
        least = ImageExtreme.of(image, cells.least) if cells.least == self._least else None
        return least, ImageExtreme.of(image, cells.greatest) if cells.greatest == self._greatest else None

    def _parts_of(self, image: Image, defect: str, view: str, every: Bools) -> Iterator[tuple[str, Bools]]:
        """Yield the parts that an anomalous image belongs to, and which of its regions."""
        if view:
            yield f"view={view}", every
        yield f"defect={defect}", every
        if not every.size:
            return
        yield f"regions={NUMBERS.get(every.size, '6+')}", every
        height, distances = image.scores.size // image.width, image.border_distances
        near = np.where(distances < NEAR * min(image.width, height), 1, 2)
        borders = np.where(distances == 0, 0, near)
        for border in sorted(set(borders.tolist())):
            yield f"border={BORDERS[border]}", borders == border
        if self.edges.size:
            quartiles = np.searchsorted(self.edges, image.areas / image.scores.size, side="left")
            for quartile in sorted(set(quartiles.tolist())):
                yield f"area={quartile + 1}", quartiles == quartile

    def _part(self, name: str) -> Part:
        """Evaluate the anomalous images of a part together with its normal images."""
        sums, normal, anomalous = CellSums(), list[int](), list[int]()
        for view, accumulated in sorted(self._normal.items()):
            if not name.startswith("view=") or name == f"view={view}":
                sums.merge(accumulated.pixels)
                normal += accumulated.images
        if name in self._anomalous:
            sums.merge(self._anomalous[name].pixels)
            anomalous = self._anomalous[name].images
        settings = {"limit": self.limit, "mode": "stream", "bits": 32, "connectivity": self.connectivity}
        state = sums.state(self._least, self._greatest, self._union, rounded=self._rounded)
        pixels = PixelMetrics.from_state({key: np.array(value) for key, value in settings.items()} | state)
        counts = pixels.groups().counts
        total = counts.normals + counts.anomalies
        labels = [0] * len(normal) + [1] * len(anomalous)
        scores = [self._scores[number] for number in (*normal, *anomalous)]
        estimates = {f"image_{key}": value for key, value in image_metrics(scores, labels).items()}
        estimates |= {f"pixel_{key}": value for key, value in pixels.compute().items()}
        return Part(estimates, counts.anomalies / total if total else None, len(labels))
