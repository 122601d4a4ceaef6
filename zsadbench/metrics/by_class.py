"""ClassMetrics: every requested metric of one class, batch by batch, as an evaluation calls it.

The mode of an evaluation depends on the class alone, never on the machine, so that the same command writes the same
record everywhere. Records are exact if the scores of a class fit into 2 GiB, which are 2,000 images of 518 × 518.
Larger classes are streamed, with bounds and in constant memory. If the size was estimated too low (maps at the sizes of
their masks), exact mode continues in a temporary file.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arguments import split_by_label
from zsadbench.metrics.counting.arrays import Floats, Images
from zsadbench.metrics.counting.counts import count
from zsadbench.metrics.counting.image import Image
from zsadbench.metrics.counting.spill_buffer import BUDGET
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT, DEFAULT_NAMES, SEGF1, MetricName, parse_metric
from zsadbench.metrics.pixels import Mode, PixelMetrics
from zsadbench.metrics.rank_metrics import rank_estimates

NO_MASKS = "the data set has no masks"


def mode_for(pixels: int) -> Mode:
    """The mode in which a class with this number of pixels is evaluated.

    >>> mode_for(200 * 518**2), mode_for(5000 * 518**2)
    ('exact', 'stream')
    """
    return "exact" if 4 * pixels <= BUDGET else "stream"


class ClassMetrics:
    """The metrics of one class under their record keys.

    `names` are the requested metrics. `masks` says whether the data set has masks; if not, every pixel metric is
    undefined for that reason. `mode`, `bits`, `connectivity`, `threads` and `memory` are those of `PixelMetrics`; image
    scores are always kept. Image labels are used as given, even if the anomaly of a mask vanished when it was resized.

    >>> metrics = ClassMetrics(masks=False)
    >>> metrics.update([0.2, 0.7], [0, 1])
    >>> metrics.compute()["image_auroc"].value, metrics.compute()["pixel_auroc"].reason
    (1.0, 'the data set has no masks')
    """

    def __init__(
        self,
        names: Sequence[MetricName] = DEFAULT_NAMES,
        *,
        masks: bool = True,
        mode: Mode = "exact",
        bits: int = 24,
        connectivity: int = 8,
        threads: int | None = None,
        memory: int = BUDGET,
    ) -> None:
        self.names = tuple(names)
        self._normal: list[Floats] = []
        self._anomalous: list[Floats] = []
        settings: dict[str, Any] = {"connectivity": connectivity, "threads": threads, "memory": memory}
        self._pixels = PixelMetrics(mode=mode, bits=bits, **settings) if masks else None

    @property
    def pixels(self) -> PixelMetrics | None:
        """The accumulator of the pixels, None for a data set without masks."""
        return self._pixels

    @property
    def regions(self) -> int:
        """Number of regions in the masks so far; 0 for a data set without masks."""
        return self._pixels.regions if self._pixels else 0

    def update(
        self, image_scores: ArrayLike, labels: ArrayLike, maps: Images | None = None, masks: Images | None = None
    ) -> None:
        """Add one batch; after an error nothing of the batch has been added.

        `image_scores` and `labels` (n,); `maps` and `masks` (n, height, width), or lists of n arrays of different
        sizes. For a data set without masks there are no `masks`, and `maps` are ignored.

        Raises:
            ValueError: maps and masks are missing or not expected, counts or shapes differ, a label or a mask value is
                invalid, or a score is NaN.
        """
        normal, anomalous = split_by_label(image_scores, labels, ndim=1)
        if self._pixels is not None and maps is not None and len(maps) != normal.size + anomalous.size:
            raise ValueError(f"{len(maps)} maps but {normal.size + anomalous.size} labels")
        self.take(image_scores, labels, self.read(maps, masks))

    def read(self, maps: Images | None = None, masks: Images | None = None) -> list[Image]:
        """Check the maps and masks of a batch and label their regions; none for a data set without masks.

        Raises:
            ValueError: as in `update`.
        """
        if self._pixels is None and masks is not None:
            raise ValueError("masks were given for a data set that has none")
        if self._pixels is None:
            return []
        if maps is None or masks is None:
            raise ValueError(
                "maps and masks are missing; for a data set without masks, pass masks=False to ClassMetrics"
            )
        return self._pixels.read(maps, masks)

    def take(self, image_scores: ArrayLike, labels: ArrayLike, images: Sequence[Image]) -> None:
        """Add one batch whose maps and masks `read` has read; after an error nothing has been added.

        Raises:
            ValueError: counts differ, a label is invalid, or a score is NaN.
        """
        normal, anomalous = split_by_label(image_scores, labels, ndim=1)
        if self._pixels is not None:
            if len(images) != normal.size + anomalous.size:
                raise ValueError(f"{len(images)} maps but {normal.size + anomalous.size} labels")
            self._pixels.take(images)
        self._normal.append(normal)
        self._anomalous.append(anomalous)

    def replace_scores(self, image_scores: ArrayLike, labels: ArrayLike) -> None:
        """Replace the image scores of all images, for scores that are known once the class is complete.

        Raises:
            ValueError: the numbers of normal and anomalous images are not those so far, or a score is NaN.
        """
        normal, anomalous = split_by_label(image_scores, labels, ndim=1)
        before = [sum(part.size for part in parts) for parts in (self._normal, self._anomalous)]
        if before != [normal.size, anomalous.size]:
            raise ValueError(f"{normal.size} normal and {anomalous.size} anomalous scores replace {before}")
        self._normal, self._anomalous = [normal], [anomalous]

    def merge(self, other: Self) -> Self:
        """Add all images of `other`, and return self; `other` stays as it is.

        Raises:
            ValueError: the two differ in their names, in having masks, or in the settings of `PixelMetrics`.
        """
        if self.names != other.names or (self._pixels is None) != (other._pixels is None):
            raise ValueError("the metrics of two classes differ in their names, or only one has masks")
        if self._pixels is not None and other._pixels is not None:
            self._pixels.merge(other._pixels)
        self._normal.extend(other._normal)
        self._anomalous.extend(other._anomalous)
        return self

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all images, as arrays without objects, for `numpy.savez`; the same bytes for the same images."""
        pixels = self._pixels.state() if self._pixels is not None else {}
        return {
            "names": np.array([str(name) for name in self.names], np.str_),
            "image_normal": np.sort(_concatenated(self._normal)),
            "image_anomalous": np.sort(_concatenated(self._anomalous)),
            **{f"pixel_{key}": value for key, value in pixels.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the accumulator whose `state` this is.

        Raises:
            ValueError: an array is missing, or their sizes do not fit together.
        """
        missing = {"names", "image_normal", "image_anomalous"} - set(state)
        if missing:
            raise ValueError(f"the state lacks {', '.join(sorted(missing))}")
        pixels = {key.removeprefix("pixel_"): value for key, value in state.items() if key.startswith("pixel_")}
        restored = cls([parse_metric(name) for name in state["names"].tolist()], masks=False)
        restored._pixels = PixelMetrics.from_state(pixels) if pixels else None
        restored._normal, restored._anomalous = [state["image_normal"]], [state["image_anomalous"]]
        return restored

    def compute(self) -> dict[str, Estimate]:
        """Record key → estimate, for every requested name in the requested order.

        Names that are taken over samples, over all classes or at a given threshold are left out.
        """
        counts = count(_concatenated(self._normal), _concatenated(self._anomalous))
        estimates = {f"image_{kind}": value for kind, value in rank_estimates(counts, "image").items()}
        if self._pixels is not None:
            limits = {name.limit for name in self.names if name.limit not in (None, DEFAULT_LIMIT)}
            of_pixels = self._pixels.compute(limit for limit in limits if limit is not None)
            estimates |= {f"pixel_{kind}": value for kind, value in of_pixels.items()}
        no_masks = Estimate.undefined(NO_MASKS)
        return {
            str(name): estimates.get(str(name), no_masks)
            for name in self.names
            if not (name.over or name.kind == SEGF1)
        }


def _concatenated(scores: list[Floats]) -> Floats:
    joined: Floats = np.concatenate([np.empty(0, np.float32), *scores]) + np.float32(0)  # -0.0 becomes 0.0
    return joined
