"""Score all images of a class together: the batches are gathered first, then scored and counted one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from zsadbench.clip.towers import autocast
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.evaluate.scoring import ScoredBatch, Scorer
from zsadbench.engine.machine.method_calls import batch_of, call_method, checked_scores
from zsadbench.engine.machine.to_host import to_host
from zsadbench.errors import CellError
from zsadbench.types import Scores, Tokens, WholeClass

if TYPE_CHECKING:
    from zsadbench.engine.encode.batches import EncodedBatch
    from zsadbench.engine.machine.timing import Span

Sizes = Sequence[tuple[int, int]] | None


class ShareOfSpan(NamedTuple):
    """The time of one batch: its own, and its share of what is done once for all images."""

    own: Span
    together: Span
    share: float

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.own.seconds + self.share * self.together.seconds


@dataclass
class ClassGathering:
    """The images of a class on the way through a method that scores them together.

    Of every batch, paths, positions and resized masks are kept; its images are not, and its tokens are the method's.
    """

    scorer: Scorer
    waiting: list[tuple[EncodedBatch, Sizes]] = field(default_factory=list)

    @property
    def method(self) -> WholeClass:
        """The detector."""
        return cast(WholeClass, self.scorer.method)

    def begin(self, class_word: str) -> None:
        """Have the method forget the class before.

        Raises:
            CellError: the method fails, or cannot score a class as a whole.
        """
        self.waiting = []
        if not call_method(self.scorer.name, "begin_class", isinstance, self.method, WholeClass):
            raise CellError(f"'{self.scorer.name}' says that it scores whole classes, but has no 'score_class'")
        call_method(self.scorer.name, "begin_class", self.method.begin_class, class_word)

    def take(self, tokens: Tokens, batch: EncodedBatch, sizes: Sizes) -> None:
        """Give the tokens of a batch to the method, and keep what counting it needs.

        Args:
            tokens: the taps that the method reads.
            batch: of the class.
            sizes: of the maps, one (height, width) per image; None if no maps are needed.

        Raises:
            CellError: the method fails.
        """
        self.gather(tokens, batch.loaded.paths)
        masks = batch.masks()
        loaded = batch.loaded._replace(images=batch.loaded.images[:0].clone(), masks=None)
        kept = batch._replace(loaded=loaded, tokens=Tokens((), tokens.grid), masks=lambda: masks)
        self.waiting.append((kept, sizes))

    def gather(self, tokens: Tokens, paths: Sequence[str]) -> None:
        """Give the tokens of a batch of images with these paths to the method."""
        scorer = self.scorer
        with scorer.watch.stage("head"), torch.inference_mode(), autocast(scorer.device.type, DTYPES[scorer.precision]):
            call_method(scorer.name, "gather", self.method.gather, tokens, of=batch_of(paths, len(paths)))

    def scored(self, class_word: str) -> Iterator[tuple[EncodedBatch, ScoredBatch]]:
        """Score the class and yield its batches with their scores and maps; then have the method forget the class.

        Raises:
            CellError: the method fails, or makes scores of other images than it was given.
        """
        count, stage = sum(len(batch.loaded.paths) for batch, _ in self.waiting), self.scorer.watch.stage
        images = self.images(count)
        with stage("head") as together:
            first = next(images, None)
        if first is None:
            raise CellError(f"'{self.scorer.name}' scored none of {count} images")
        images = chain([first], images)
        for batch, sizes in self.waiting:
            paths = batch.loaded.paths
            with stage("head") as own:
                parts = list(islice(images, len(paths)))
                image, pixel = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
            scoring = cast("Span", ShareOfSpan(own, together, len(paths) / count))
            scores = to_host(image.float())
            with stage("map"):
                maps = None if sizes is None else self.scorer.start_maps(pixel, sizes)
            yield batch, ScoredBatch(paths, scores, maps, scoring)
        self.begin(class_word)

    def images(self, count: int) -> Iterator[Scores]:
        """Score the class of `count` images and yield the scores of one image after the other, (1,) and (1, h, w).

        Raises:
            CellError: the method fails, or makes scores of another number of images.
        """
        scorer, done, of = self.scorer, 0, f" for a class of {count} image{'' if count == 1 else 's'}"
        batches = call_method(scorer.name, "score_class", lambda: iter(self.method.score_class()), of=of)
        while True:
            with torch.inference_mode(), autocast(scorer.device.type, DTYPES[scorer.precision]):
                returned = call_method(scorer.name, "score_class", next, batches, None, of=of)
            if returned is None:
                break
            length = len(returned[0]) if isinstance(returned, tuple) and len(returned) else 0
            scores = checked_scores(scorer.name, returned, length, of)
            done += length
            for number in range(length):
                yield Scores(scores.image[number : number + 1], scores.pixel[number : number + 1])
        if done != count:
            raise CellError(f"'{scorer.name}' scored {done} images{of}")
