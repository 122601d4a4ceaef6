"""The strongest region of an anomaly map: where someone should look first."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST = 1024  # cells along the longer side of a map in which regions are found; larger maps are pooled by their maximum


class Region(NamedTuple):
    """The strongest region of an anomaly map, in pixels of the image as it is shown upright.

    Attributes:
        x0: left edge of the smallest box around it; the box holds the columns x0 … x1 − 1.
        y0: its upper edge.
        x1: the column after its last.
        y1: the row after its last.
        pixels: area of the region itself, which need not fill the box.
        peak_x: column of the largest value of the map.
        peak_y: its row.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    pixels: int
    peak_x: int
    peak_y: int

    @property
    def box_area(self) -> int:
        """Area of the box in pixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


def strongest_region(scores: NDArray[np.float32], size: tuple[int, int], level: float | None = None) -> Region | None:
    """Find the region around the largest value of a map.

    It consists of the 8-connected pixels around the peak whose values are above `level`. Maps of more than 1024 cells
    along a side are pooled by their maximum first, so that edges are exact to one pooled cell.

    Args:
        scores: the anomaly map, (height, width).
        size: (width, height) of the image in pixels.
        level: a pixel threshold; None for the middle between the median and the maximum of this map.

    Returns:
        The region; None where no value is above the level, as in a map of equal values.
    """
    from scipy.ndimage import label

    row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
    highest = float(scores[row, column])
    if level is None:
        step = ceil(max(scores.shape) / MOST)
        level = (float(np.median(scores[::step, ::step])) + highest) / 2
    if not highest > level:
        return None
    cells, step = pooled(scores, MOST)
    numbers, _ = label(cells > level, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(numbers == numbers[row // step, column // step])
    across, down = size[0] / scores.shape[1], size[1] / scores.shape[0]
    return Region(
        int(columns.min() * step * across),
        int(rows.min() * step * down),
        min(size[0], ceil((int(columns.max()) + 1) * step * across)),
        min(size[1], ceil((int(rows.max()) + 1) * step * down)),
        max(1, round(len(rows) * step * step * across * down)),
        int((column + 0.5) * across),
        int((row + 0.5) * down),
    )


def pooled(scores: NDArray[Any], most: int) -> tuple[NDArray[Any], int]:
    """Reduce a map by the maximum of squares so that its longer side has at most `most` cells.

    Returns:
        The reduced map, and the side of the squares in pixels.
    """
    step = ceil(max(scores.shape) / most)
    if step == 1:
        return scores, 1
    rows = np.maximum.reduceat(scores, np.arange(0, scores.shape[0], step), axis=0)
    return np.maximum.reduceat(rows, np.arange(0, scores.shape[1], step), axis=1), step
