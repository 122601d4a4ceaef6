"""One call of `predict`: the loaded method with its flags, and where results go."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.display.colour_range import ColourRange
from zsadbench.errors import UsageError
from zsadbench.files import remove_leftovers
from zsadbench.predict.detector_facts import detector_facts
from zsadbench.predict.heat_maps import MAPS, THUMBNAILS, predict_images
from zsadbench.predict.limits import Limits
from zsadbench.predict.prediction import Prediction
from zsadbench.predict.reference import check_reference, remember_reference
from zsadbench.predict.scores_table import write_scores
from zsadbench.predict.scoring import ImageScorer
from zsadbench.predict.tiles import Tiles
from zsadbench.predict.triage.page import write_page

if TYPE_CHECKING:
    from zsadbench.data import UserImage
    from zsadbench.predict.detector import LoadedMethod


def remove_unfinished(out: Path) -> None:
    """Remove what killed calls left half-written in the folder of results."""
    for folder in (out / MAPS, out / THUMBNAILS):
        for below, _, _ in os.walk(folder):
            remove_leftovers(Path(below))
    remove_leftovers(out)


class Session:
    """Scores images with one method and writes the folder of results.

    Args:
        detector: the loaded method.
        out: the folder of results.
        limits: thresholds.
        colours: the colour scale; None to choose it from the maps.
        tiles: how images are cut; None to score them whole.
        batch_size: images or tiles per batch; None for what suits the device.
    """

    def __init__(
        self,
        detector: LoadedMethod,
        out: Path,
        limits: Limits,
        *,
        colours: ColourRange | None = None,
        tiles: Tiles | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.detector, self.out, self.limits, self.colours, self.tiles = detector, out, limits, colours, tiles
        self.scorer = ImageScorer(detector, tiles, batch_size)
        self.reference: str | None = None
        self.supports = 0

    def prepare(self, words: Iterable[str], supports: list[Path]) -> None:
        """Give the method its reference images, check the threshold, and remove what killed calls left unfinished.

        Raises:
            UsageError: the method takes no reference images or lacks them, it cannot score tiles, or the threshold was
                fitted for another detector.
            DataError: a reference image cannot be read.
        """
        words = list(dict.fromkeys(words))
        check_reference(self.detector, given=bool(supports))
        if self.tiles is not None and self.detector.scores_whole_classes:
            raise UsageError(f"'{self.detector.setup.name}' compares whole images of a class; leave --tile out")
        if supports:
            self.reference, self.supports = remember_reference(self.detector, supports, words[0]), len(supports)
        cut = (self.tiles.side, self.tiles.overlap) if self.tiles else None
        self.limits.check(self.detector, words, self.reference, cut)
        remove_unfinished(self.out)

    def predict(self, images: Sequence[UserImage]) -> Iterator[Prediction]:
        """Score and draw images one after another."""
        return predict_images(self.scorer, images, self.out, self.limits, self.colours)

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Write `scores.csv` and `index.html`."""
        write_scores(self.out / "scores.csv", predictions, self.limits)
        write_page(self.out, predictions, self.limits, self._about())

    def facts(self, word: str, folder: Path) -> dict[str, Any]:
        """What a watch must have in common with the one that it goes on with."""
        cut = (self.tiles.side, self.tiles.overlap) if self.tiles else None
        facts = detector_facts(self.detector, word, reference=self.reference, tiles=cut)
        return {**facts, "folder": os.fsencode(folder.resolve()).hex()}

    def _about(self) -> list[tuple[str, str]]:
        setup = self.detector.setup
        about = [
            ("method", setup.name),
            ("backbone", f"{setup.spec.config.name}:{setup.spec.weights.kind}"),
            ("checkpoint", setup.checkpoint.name if setup.checkpoint else "none given"),
            ("input size", f"{setup.image_size} pixels"),
        ]
        if self.tiles:
            about.append(
                ("tiles", f"{self.tiles.side} pixels, overlap {self.tiles.overlap}; the score is their maximum")
            )
        if self.supports:
            about.append(("reference images", str(self.supports)))
        if self.limits.image is not None:
            about.append(("threshold", f"{self.limits.image:g}"))
        if self.limits.fitted is not None:
            about.append(("its guarantee", self.limits.fitted.image.fit.guarantee))
        return about
