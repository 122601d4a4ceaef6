"""The colour scale of anomaly maps: one per call, chosen from the maps of the call so that their contrast shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.data import read_image
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.errors import CellError, DataError
from zsadbench.predict.detector import LoadedMethod
from zsadbench.predict.together import score_classes
from zsadbench.types import Scores

SAMPLE = 32  # images whose maps choose the scale
LEAST_SHARE = 0.01  # of the range of the method's card: a narrower scale would show noise


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


def contrast_range(maps: Sequence[NDArray[np.float32]], widest: tuple[float, float]) -> ColourRange:
    """From the median of all pixels to the largest value.

    Args:
        maps: (height, width) each; at least one.
        widest: the range of the method's card; the scale covers at least 1 % of it.
    """
    pixels = np.concatenate([values.reshape(-1) for values in maps])
    low, high = float(np.median(pixels)), float(pixels.max())
    return ColourRange(low, max(high, low + LEAST_SHARE * (widest[1] - widest[0])))


Attempt = Scores | DataError | CellError


def attempt(detector: LoadedMethod, path: Path, word: str) -> Attempt:
    """Score one image; an image that cannot be read or scored gives the error."""
    try:
        with limited_threads():
            return detector.predict(read_image(path), word)
    except (DataError, CellError) as failure:
        return failure


def choose_range(detector: LoadedMethod, images: Mapping[Path, str]) -> tuple[ColourRange, dict[Path, Attempt]]:
    """Score at most 32 images, evenly spaced over all, and choose the scale from their maps.

    A method that scores whole classes scores all images.

    Returns:
        The scale, that of the method's card where no map could be made; and the attempts by path.
    """
    paths = list(images)
    places = np.linspace(0, len(paths) - 1, min(SAMPLE, len(paths))).round().astype(int)
    chosen = [paths[place] for place in places]
    if detector.scores_whole_classes:
        attempts = dict(score_classes(detector, images, read_image))
    else:
        attempts = {path: attempt(detector, path, images[path]) for path in chosen}
    maps = [scores.pixel[0].numpy() for path in chosen if isinstance(scores := attempts[path], Scores)]
    widest = detector.setup.method.card.map_range
    return (contrast_range(maps, widest) if maps else ColourRange(*widest)), attempts
