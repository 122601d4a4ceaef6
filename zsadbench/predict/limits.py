"""`--threshold FILE|VALUE`: from which score on an image is called anomalous."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zsadbench.errors import UsageError
from zsadbench.predict.detector_facts import detector_facts
from zsadbench.thresholds import Threshold, is_above, read_threshold

if TYPE_CHECKING:
    from zsadbench.predict.detector import LoadedMethod

Verdict = Literal["anomalous", "normal", ""]


@dataclass(frozen=True)
class Limits:
    """The thresholds of a call.

    Attributes:
        image: an image whose score is above it is anomalous; None without a threshold.
        pixel: the level of regions; None for a level of each map's own.
        fitted: the content of the file; None where a value was given.
        source: the file.
    """

    image: float | None = None
    pixel: float | None = None
    fitted: Threshold | None = None
    source: Path | None = None

    def verdict(self, score: float) -> Verdict:
        """Return whether a score is above the threshold by more than rounding; empty without a threshold."""
        if self.image is None:
            return ""
        return "anomalous" if is_above(score, self.image) else "normal"

    def check(
        self, detector: LoadedMethod, words: Iterable[str], reference: str | None, tiles: tuple[int, int] | None
    ) -> None:
        """Check that the file was fitted for this detector and every word in prompts.

        Raises:
            UsageError: it was not.
        """
        if self.fitted is None or self.source is None:
            return
        for word in dict.fromkeys(words):
            facts = detector_facts(detector, word, reference=reference, tiles=tiles)
            self.fitted.check_detector(facts, self.source)


def read_limits(text: str | None) -> Limits:
    """Read what `--threshold` was given: a number, or a file of `threshold fit`.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return Limits()
    try:
        value = float(text)
    except ValueError:
        path = Path(text)
        fitted = read_threshold(path)
        return Limits(fitted.image.threshold, fitted.pixel.threshold, fitted, path)
    if not isfinite(value):
        raise UsageError(f"--threshold is {text}; it takes a finite number, or a file of zsadbench threshold fit")
    return Limits(value)
