"""The colour scale of the maps of one run on one data set.

Three values fix the scale. They are taken over all classes of the data set:

- `usual`, the median of normal pixels, is dark blue (0 on the scale);
- `rare`, which 1 % of normal pixels exceed, is at a third;
- `red`, the median of anomalous pixels or, if that is larger, the value that 0.1 % of normal pixels exceed, is full red
  (1 on the scale).

Between them the scale is linear. So maps of methods with different ranges of scores can be compared, and a normal
image, or a method that does not detect defects, stays dark.

The values come from at most `IMAGES` images of a data set, evenly spaced among the normal and the anomalous ones; every
map is thinned to about `POINTS` points per side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.failures.runs import AnomalyMap, Run

IMAGES, POINTS = 400, 64
RARE, RED = 0.99, 0.999  # quantiles of normal pixels
THIRD = 1 / 3

Mask = NDArray[np.bool_]
MaskOf = Callable[[str, tuple[int, ...]], Mask | None]
PathAndLabel = tuple[str, int]
Item = TypeVar("Item")


@dataclass(frozen=True)
class ColourScale:
    """Map values that fix a colour scale, in ascending order; `source` says which pixels they come from."""

    usual: float
    rare: float
    red: float
    source: str

    def scaled(self, anomaly_map: AnomalyMap) -> NDArray[np.float64]:
        """The map on the scale, float64 of the same shape: 0 is `usual`, a third is `rare`, 1 is `red`; clipped."""
        step = 1e-9 * max(1.0, abs(self.usual))
        rare = max(self.rare, self.usual + step)
        ends = [self.usual, rare, max(self.red, rare + step)]
        return np.asarray(np.interp(np.asarray(anomaly_map, np.float64), ends, [0.0, THIRD, 1.0]))


def colour_scale_of(run: Run, images: Iterable[PathAndLabel], mask_of: MaskOf) -> ColourScale:
    """Compute the colour scale of a run.

    Args:
        run: the run.
        images: path and label of all images of the data set that it has.
        mask_of: the mask of an image at the size of its map; None where there is no mask.
    """
    pixels = _sample_pixels(run, _evenly_by_label(list(images), IMAGES), mask_of)
    normal, anomalous = pixels.normal, pixels.anomalous or pixels.peaks
    if not normal and anomalous:
        normal, source = anomalous, "all pixels: there is no normal one"
    elif not normal:
        normal, source = [np.zeros(1, np.float32)], "no map"
    elif pixels.anomalous:
        source = "normal pixels, and pixels inside the masks"
    elif pixels.peaks:
        source = "pixels of normal images, and the highest hundredth of each anomalous image: there are no masks"
    else:
        source = "normal pixels: there is no anomalous image"
    usual, rare, far = (float(value) for value in np.quantile(np.concatenate(normal), [0.5, RARE, RED]))
    typical = float(np.median(np.concatenate(anomalous))) if anomalous else far
    return ColourScale(usual, rare, max(typical, far), source)


class _Pixels(NamedTuple):
    """Pixels of thinned maps, one array per image; `peaks` are the 0.99 quantiles of anomalous images without masks."""

    normal: list[NDArray[np.float32]]
    anomalous: list[NDArray[np.float32]]
    peaks: list[NDArray[np.float32]]


def _sample_pixels(run: Run, images: Sequence[PathAndLabel], mask_of: MaskOf) -> _Pixels:
    pixels = _Pixels([], [], [])
    for path, label in images:
        anomaly_map = run.read_map(path)
        if anomaly_map is None:
            continue
        rows, columns = (max(1, side // POINTS) for side in anomaly_map.shape)
        thinned = anomaly_map[::rows, ::columns]
        mask = mask_of(path, anomaly_map.shape) if label else np.zeros(anomaly_map.shape, np.bool_)
        if mask is None:
            pixels.peaks.append(np.quantile(thinned, [RARE]).astype(np.float32))
            continue
        pixels.normal.append(thinned[~mask[::rows, ::columns]])
        if label:
            pixels.anomalous.append(anomaly_map[mask][:: rows * columns])
    normal, anomalous = ([array for array in arrays if array.size] for arrays in (pixels.normal, pixels.anomalous))
    return _Pixels(normal, anomalous, pixels.peaks)


def _evenly_by_label(images: Sequence[PathAndLabel], count: int) -> list[PathAndLabel]:
    """At most `count` of the images, evenly spaced, half of them of each label where both labels have enough."""
    normal, anomalous = ([image for image in images if image[1] == label] for label in (0, 1))
    share_of_normal = min(len(normal), max(count // 2, count - len(anomalous)))
    share_of_anomalous = min(len(anomalous), max(count // 2, count - len(normal)))
    return [*evenly(normal, share_of_normal), *evenly(anomalous, share_of_anomalous)]


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """`count` of the items at equal steps; all items where there are no more.

    >>> evenly([("a", 0), ("b", 0), ("c", 0), ("d", 0)], 2)
    [('a', 0), ('c', 0)]
    """
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]
