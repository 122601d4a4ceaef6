"""The pixels of a class, reduced to what its metrics need: scores apart by label, and region areas."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics._arguments import Floats, Images, images
from zsadbench.metrics._counts import Counts, count_sorted
from zsadbench.metrics.regions import pixel_areas


class Pixels(NamedTuple):
    """Some pixels. `area[i]` is the area of the region that `anomalous[i]` lies in.

    `normal` (normal pixels,) and `anomalous` (anomalous pixels,) are float32 or float64, `area` is
    uint32 of the shape of `anomalous`; `regions` counts the regions.
    """

    normal: Floats
    anomalous: Floats
    area: NDArray[np.uint32]
    regions: int

    @property
    def counts(self) -> Counts:
        """The counts of joined pixels."""
        return count_sorted(self.normal, self.anomalous)


def gather(scores: Images, masks: Images) -> list[Pixels]:
    """Reduce images, checked, to pixels: one entry an image, nothing shared with the arguments."""
    found = []
    for one_map, mask in images(scores, masks):
        area, regions = pixel_areas(mask)
        # Adding zero turns -0.0 into 0.0, so that equal scores are equal bytes.
        found.append(Pixels(one_map[~mask] + 0.0, one_map[mask] + 0.0, area, regions))
    return found


def join(parts: Sequence[Pixels]) -> Pixels:
    """All pixels together in ascending order: the same bytes however the images were divided.

    Scores of mixed dtypes become float64.
    """
    dtype = np.result_type(np.float32, *(array for part in parts for array in (part.normal, part.anomalous)))
    normal = np.concatenate([np.empty(0, dtype), *(part.normal for part in parts)])
    normal.sort()
    anomalous = np.concatenate([np.empty(0, dtype), *(part.anomalous for part in parts)])
    area = np.concatenate([np.empty(0, np.uint32), *(part.area for part in parts)])
    order = np.lexsort((area, anomalous))
    return Pixels(normal, anomalous[order], area[order], sum(part.regions for part in parts))
