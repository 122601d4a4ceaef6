"""What `predict` finds in one image, and the order of images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zsadbench.display.colour_range import ColourRange
from zsadbench.predict.regions import Region


@dataclass(frozen=True)
class Prediction:
    """The result of one image.

    Where the image could not be read or scored, `failure` says why, and all but its path, place and word is None.

    Attributes:
        image: its path as given.
        score: image score.
        highest: largest value of its anomaly map.
        heat_map: file of its heat map.
        failure: why there is no score, in one line; empty if there is one.
        scale: colours of the heat map.
        relative: place of its results below the folder of results.
        word: in prompts.
        region: the strongest region.
        seconds: for reading, encoding and scoring, the mean over its batch; drawing is not in it.
        size: (width, height) in pixels.
        thumbnail: file of the small picture for the page.
    """

    image: Path
    score: float | None = None
    highest: float | None = None
    heat_map: Path | None = None
    failure: str = ""
    scale: ColourRange | None = None
    relative: str = ""
    word: str = ""
    region: Region | None = None
    seconds: float | None = None
    size: tuple[int, int] | None = None
    thumbnail: Path | None = None


def ranked(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Return the scored images, the highest score first.

    Of equal scores, such as those of a saturated method, the highest value of the map comes first; then the path
    decides.
    """
    scored = [prediction for prediction in predictions if prediction.score is not None]
    return sorted(scored, key=lambda one: (-(one.score or 0.0), -(one.highest or 0.0), str(one.image)))


def failed(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Return the images without a score, in their order."""
    return [prediction for prediction in predictions if prediction.score is None]
