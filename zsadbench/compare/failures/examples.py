"""Images of the failure browser, and what each method did on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from zsadbench.compare.failures.patterns import Measures


class ImageInfo(NamedTuple):
    """Class, type of defect and label (1 for anomalous) of an image."""

    class_name: str
    defect: str
    label: int


@dataclass(frozen=True)
class ImageResult:
    """One method on one image: its score, the error of that score, and the measures of its map.

    `error` is in [0, 1] as `rank_errors.errors_of` computes it; None where the class has no image of the other label.
    `peak` is the largest value of the map, which orders images with equal scores; None where it was not needed.
    """

    score: float
    error: float | None
    measures: Measures
    peak: float | None = None

    @property
    def failure(self) -> float | None:
        """How wrong the method is: the error of its score or, where that is None, the share of the defect it misses."""
        return self.error if self.error is not None else self.measures.missed


Results = Mapping[str, Mapping[str, ImageResult]]  # entry → path → result


@dataclass(frozen=True)
class Example:
    """One image that is shown.

    Attributes:
        path: its path relative to the data set.
        info: its class, defect and label.
        image: its file; None where that was not found.
        mask: the file of its mask; None where there is none or it was not found.
        results: entry → result, for the methods that have evaluated it.
    """

    path: str
    info: ImageInfo
    image: Path | None
    mask: Path | None
    results: Mapping[str, ImageResult]
