"""The colour scale of a run on a data set: fixed, and such that a normal image does not glow.

Three values of a map fix it, taken over all classes of the set: `usual`, the median of normal pixels, is dark blue;
`rare`, which one normal pixel in a hundred exceeds, stands at a third; `red`, the median of anomalous pixels, or the
value that one normal pixel in a thousand exceeds where that is larger, is full red. Between them it is linear. So
methods on different scales look alike where they mean alike, and a method that cannot tell defects stays dark.

The values come from at most `IMAGES` images of a set, evenly spaced among the normal and the anomalous ones, every map
thinned to about `POINTS` points a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsadbench.compare.failures.runs import Map, Run

IMAGES, POINTS = 400, 64
RARE, RED = 0.99, 0.999  # quantiles of normal pixels
THIRD = 1 / 3

Mask = NDArray[np.bool_]
MaskOf = Callable[[str, tuple[int, ...]], Mask | None]
Labelled = tuple[str, int]  # path and label


@dataclass(frozen=True)
class Levels:
    """Map values that fix a colour scale, in ascending order; `source` says which pixels gave them."""

    usual: float
    rare: float
    red: float
    source: str

    def place(self, values: Map) -> NDArray[np.float64]:
        """Values on the scale: 0 is usual, a third is rare, 1 is red; cut at both ends."""
        step = 1e-9 * max(1.0, abs(self.usual))
        rare = max(self.rare, self.usual + step)
        ends = [self.usual, rare, max(self.red, rare + step)]
        return np.asarray(np.interp(np.asarray(values, np.float64), ends, [0.0, THIRD, 1.0]))


def levels_of(run: Run, images: Iterable[Labelled], mask_of: MaskOf) -> Levels:
    """Measure the scale of a run.

    Args:
        run: the run.
        images: path and label of all images of the set that it has.
        mask_of: the mask of an image at the size of its map; None where there is none at hand.
    """
    normal, inside, peaks = _pixels(run, _spaced(list(images), IMAGES), mask_of)
    marked = inside or peaks
    if not normal:
        normal, source = (
            (marked, "all pixels: there is no normal one") if marked else ([np.zeros(1, np.float32)], "no map")
        )
    elif inside:
        source = "normal pixels, and pixels inside the masks"
    elif peaks:
        source = "pixels of normal images, and the highest hundredth of each anomalous image: there are no masks"
    else:
        source = "normal pixels: there is no anomalous image"
    usual, rare, far = (float(value) for value in np.quantile(np.concatenate(normal), [0.5, RARE, RED]))
    typical = float(np.median(np.concatenate(marked))) if marked else far
    return Levels(usual, rare, max(typical, far), source)


Parts = list[NDArray[np.float32]]


def _pixels(run: Run, images: Sequence[Labelled], mask_of: MaskOf) -> tuple[Parts, Parts, Parts]:
    """Thinned pixels that are normal, and those inside masks; without masks, the 0.99 quantiles of anomalous images."""
    normal: Parts = []
    inside: Parts = []
    peaks: Parts = []
    for path, label in images:
        found = run.read_map(path)
        if found is None:
            continue
        step = tuple(max(1, side // POINTS) for side in found.shape)
        thin = found[:: step[0], :: step[1]]
        mask = mask_of(path, found.shape) if label else np.zeros(found.shape, np.bool_)
        if mask is None:
            peaks.append(np.quantile(thin, [RARE]).astype(np.float32))
            continue
        normal.append(thin[~mask[:: step[0], :: step[1]]])
        if label:
            inside.append(found[mask][:: step[0] * step[1]])
    return [part for part in normal if part.size], [part for part in inside if part.size], peaks


def _spaced(images: Sequence[Labelled], count: int) -> list[Labelled]:
    """At most `count` of the images, evenly spaced, half of each label where both have so many."""
    parts = [[one for one in images if one[1] == label] for label in (0, 1)]
    share = [min(len(part), max(count // 2, count - len(parts[1 - place]))) for place, part in enumerate(parts)]
    return [one for part, size in zip(parts, share, strict=True) for one in evenly(part, size)]


def evenly(items: Sequence[Labelled], count: int) -> list[Labelled]:
    """`count` of the items at equal steps, all of them where there are no more.

    >>> evenly([("a", 0), ("b", 0), ("c", 0), ("d", 0)], 2)
    [('a', 0), ('c', 0)]
    """
    if len(items) <= count:
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]
