"""Every requested metric of one class, batch by batch: what an evaluation calls."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zsadbench.metrics._arguments import Floats, Images, labelled
from zsadbench.metrics._counts import count
from zsadbench.metrics.estimate import Estimate
from zsadbench.metrics.names import DEFAULT_LIMIT, DEFAULT_NAMES, MetricName
from zsadbench.metrics.pixels import PixelMetrics
from zsadbench.metrics.ranked import ranked_estimates

NO_MASKS = "the data set has no masks"


class ClassMetrics:
    """The metrics of one class under their record keys.

    `names` are the metrics asked for. `masks` says whether the data set has masks; where it has none,
    every pixel metric is undefined for that reason. Image labels are taken as they come, also where
    a mask that was made smaller has lost its anomaly.

    >>> metrics = ClassMetrics(masks=False)
    >>> metrics.update([0.2, 0.7], [0, 1])
    >>> metrics.compute()["image_auroc"].value, metrics.compute()["pixel_auroc"].reason
    (1.0, 'the data set has no masks')
    """

    def __init__(self, names: Sequence[MetricName] = DEFAULT_NAMES, *, masks: bool = True) -> None:
        self.names = tuple(names)
        self._normal: list[Floats] = []
        self._anomalous: list[Floats] = []
        self._pixels = PixelMetrics() if masks else None

    @property
    def regions(self) -> int:
        """Regions in the masks seen so far; 0 for a data set without masks."""
        return self._pixels.regions if self._pixels else 0

    def update(
        self, image_scores: ArrayLike, labels: ArrayLike, maps: Images | None = None, masks: Images | None = None
    ) -> None:
        """Take in one batch; after an error nothing of the batch has been taken in.

        `image_scores` and `labels` (n,); `maps` and `masks` (n, height, width), or lists of n arrays of
        their own sizes. A data set without masks gives no `masks`, and its `maps` are not looked at.

        Raises:
            ValueError: maps and masks are missing or not wanted, counts or shapes differ, a label or a
                mask value cannot be right, or a score is NaN.
        """
        normal, anomalous = labelled(image_scores, labels, ndim=1)
        if self._pixels is None and masks is not None:
            raise ValueError("masks came for a data set that has none")
        if self._pixels is not None:
            if maps is None or masks is None:
                raise ValueError("maps and masks are missing; a data set without masks says so beforehand")
            if len(maps) != normal.size + anomalous.size:
                raise ValueError(f"{len(maps)} maps but {normal.size + anomalous.size} labels")
            self._pixels.update(maps, masks)
        self._normal.append(normal)
        self._anomalous.append(anomalous)

    def compute(self) -> dict[str, Estimate]:
        """Record key → estimate, for every requested name in the order asked for."""
        none = np.empty(0, np.float32)
        counts = count(np.concatenate([none, *self._normal]), np.concatenate([none, *self._anomalous]))
        found = {f"image_{kind}": one for kind, one in ranked_estimates(counts, "image").items()}
        if self._pixels is not None:
            limits = {name.limit for name in self.names if name.limit not in (None, DEFAULT_LIMIT)}
            pixel = self._pixels.compute(limit for limit in limits if limit is not None)
            found |= {f"pixel_{kind}": one for kind, one in pixel.items()}
        missing = Estimate.undefined(NO_MASKS)
        return {str(name): found.get(str(name), missing) for name in self.names}
