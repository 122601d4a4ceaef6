"""The colour scale of anomaly maps: one per call, chosen from the maps of the call so that their contrast shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsadbench.errors import UsageError

SAMPLE = 12  # images whose maps choose the scale
LEAST_SHARE = 0.01  # of the range of the method's card: a narrower scale would show noise
CELLS = 512  # values along a side of a map that count; of larger maps every n-th value, and the largest

Item = TypeVar("Item")


class ColourRange(NamedTuple):
    """The map values at the two ends of a colour scale."""

    low: float
    high: float

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends with as many decimals as tell a hundredth of the scale apart."""
        digits = max(0, 2 - int(np.floor(np.log10(self.high - self.low))))
        return f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"

    @property
    def text(self) -> str:
        """What the colours mean, in one line.

        >>> ColourRange(0.412, 0.538).text
        'dark blue 0.412 (median of the maps) to red 0.538 (their maximum), the same for all images of this call'
        """
        low, high = self.ends
        return (
            f"dark blue {low} (median of the maps) to red {high} (their maximum), the same for all images of this call"
        )


def read_range(text: str | None) -> ColourRange | None:
    """Read `--scale LOW,HIGH`.

    >>> read_range("0.2, 0.8")
    ColourRange(low=0.2, high=0.8)

    Raises:
        UsageError: it is not two numbers, the smaller one first.
    """
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError as failure:
        raise UsageError(f"--scale is '{text}'; it takes two numbers, such as 0.2,0.8") from failure
    if not (isfinite(low) and isfinite(high) and low < high):
        raise UsageError(f"--scale is '{text}'; it takes two finite numbers, the smaller one first")
    return ColourRange(low, high)


def contrast_range(maps: Sequence[NDArray[np.float32]], widest: tuple[float, float]) -> ColourRange:
    """From the median of all pixels to the largest value.

    Args:
        maps: (height, width) each; at least one.
        widest: the range of the method's card; the scale covers at least 1 % of it.
    """
    steps = [ceil(max(values.shape) / CELLS) for values in maps]
    pixels = np.concatenate([values[::step, ::step].reshape(-1) for values, step in zip(maps, steps, strict=True)])
    low, high = float(np.median(pixels)), max(float(values.max()) for values in maps)
    return ColourRange(low, max(high, low + LEAST_SHARE * (widest[1] - widest[0])))


def evenly(items: Sequence[Item], number: int = SAMPLE) -> list[Item]:
    """Return at most `number` items, evenly spaced over all, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int)
    return [items[place] for place in places]
