"""The method under test: builds its detectors on a very small backbone, and scores three images with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zsadbench.clip import place_taps
from zsadbench.clip.towers import autocast
from zsadbench.clip.union import slice_batch
from zsadbench.conformance.tower import tiny_backbone
from zsadbench.engine.machine.method_calls import call_method
from zsadbench.engine.machine.modes import evaluation_mode
from zsadbench.errors import CellError, UsageError, WeightsError, described
from zsadbench.types import Batch, Parted, Scores, Taps, Tokens, Transductive

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.types import MethodCard

WORD = "bolt"  # the class of all images, where classes do not matter
CLASSES = ("bolt", "metal nut", "bolt")  # of the three images, where they do
ROWS = (0, 1, 2)
TOLERANCE = 1e-5  # of numbers that differ by rounding alone, relative to values above 1


@dataclass(eq=False)
class Subject:
    """A method with options, on a frozen backbone; two subjects are equal only if they are one.

    Attributes:
        card: of the method.
        options: an instance of `card.options`.
        backbone: frozen; every detector is built on it.
    """

    card: MethodCard
    options: Any
    backbone: Backbone

    @property
    def taps(self) -> Taps:
        """The tokens that the method reads with these options."""
        return self.card.taps(self.options)

    @property
    def step(self) -> Transductive | None:
        """The declared step over all test images of a class, if there is one with these options."""
        return self.card.transductive(self.options) if self.card.transductive is not None else None

    @property
    def whole_class(self) -> bool:
        """Whether the method scores all images of a class together, and none by itself."""
        return self.step is not None and self.step.whole_class

    @property
    def needs_shots(self) -> bool:
        """Whether it scores nothing without normal images."""
        return self.card.needs_shots(self.options)

    @cached_property
    def images(self) -> Tensor:
        """Three images, float32 (3, 3, size, size)."""
        size = self.backbone.image_size
        return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))

    @property
    def class_images(self) -> Tensor:
        """Nine images of one class, for methods that score whole classes: the three, and the three moved sideways."""
        return torch.cat([self.images.roll(shift, dims=-1) for shift in (0, 5, 11)])

    def make(self, seed: int = 0) -> Any:
        """Build the detector as the engine does, under `seed`; with normal images where it needs them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            detector = self.card.build(self.backbone, self.options)
        evaluation_mode(self.card.name, detector)
        self.remind(detector)
        return detector

    def remind(self, detector: Any) -> None:
        """Give a detector that scores nothing without normal images three of them."""
        if self.needs_shots:
            with torch.no_grad():
                detector.remember(self.encode(detector, self.images.flip(-1), [WORD] * 3))

    def encode(
        self, detector: Any, images: Tensor, words: Sequence[str], precision: torch.dtype = torch.float32
    ) -> Tokens:
        """Encode images through the door that the method uses; `words` are their classes in prompts."""
        if not self.taps.own_encoding:
            shared: Tokens = self.backbone.vision(images, self.taps, precision)
            return shared
        with autocast("cpu", precision):
            tokens: Tokens = detector.encode(images, words)
        return tokens

    @cached_property
    def tokens(self) -> Tokens:
        """The tokens of the three images, for the detector of seed 0."""
        with torch.no_grad():
            return self.encode(self.make(), self.images, CLASSES)

    def scores(self, detector: Any, rows: Sequence[int] = ROWS, words: Sequence[str] | None = None) -> Scores:
        """Encode and score some of the three images in one batch, all of the class `WORD` unless `words` are given."""
        return self._scored(detector, rows, words)[1]

    def outputs(self, detector: Any, rows: Sequence[int] = ROWS, words: Sequence[str] | None = None) -> list[Tensor]:
        """Return image scores, maps and parts of some of the three images, scored in one batch; batch first."""
        tokens, scores, named = self._scored(detector, rows, words)
        parts: Mapping[str, Tensor] = {}
        if isinstance(detector, Parted):
            with torch.no_grad():
                parts = detector.image_parts(tokens, named, scores)
        return [*scores, *parts.values()]

    def _scored(
        self, detector: Any, rows: Sequence[int], words: Sequence[str] | None
    ) -> tuple[Tokens, Scores, Sequence[str]]:
        named = [WORD] * len(rows) if words is None else words
        with torch.no_grad():
            tokens = self.encode(detector, self.images[list(rows)], named)
            return tokens, detector.score(tokens, named), named

    @cached_property
    def alone(self) -> list[list[Tensor]]:
        """The outputs of each of the three images, each alone in a batch, by a detector of its own."""
        return [self.outputs(self.make(), [row]) for row in ROWS]

    @cached_property
    def steady(self) -> Any:
        """A detector for checks that come after those of its state, and so may share one."""
        return self.make()

    @cached_property
    def together(self) -> list[Tensor]:
        """The outputs of the three images in one batch, by a new detector."""
        return self.outputs(self.make())

    def batch(self, rows: Sequence[int] = ROWS) -> Batch:
        """Some of the three images with labels and masks: 0 and 2 are anomalous, unless only normal ones are learned.

        The masks are float32 (batch, size, size).
        """
        size = self.backbone.image_size
        masks, labels = torch.zeros(3, size, size), torch.zeros(3, dtype=torch.int64)
        if self.card.recipe is None or not self.card.recipe.on_supports:
            masks[0, size // 14 : size // 2, size // 14 : size // 2] = 1
            masks[2, size // 2 :, : size // 3] = 1
            labels[[0, 2]] = 1
        chosen = list(rows)
        words = tuple(CLASSES[row] for row in chosen)
        return Batch(self.images[chosen], masks[chosen], labels[chosen], words)


def subject_of(card: MethodCard, options: Any = None) -> Subject:
    """Return the method on a very small backbone of the first kind that its card names.

    Raises:
        UsageError: its taps cannot be made, or do not fit such a backbone.
    """
    options = card.options() if options is None else options
    try:
        taps = card.taps(options)
    except Exception as failure:
        raise UsageError(f"'{card.name}': 'taps' fails: {described(failure)}") from failure
    if not isinstance(taps, Taps):
        raise UsageError(f"'{card.name}': 'taps' returns {type(taps).__name__}, not Taps")
    return Subject(card, options, tiny_backbone(card.kinds[0], taps))


def check_given(subject: Subject) -> None:
    """Refuse options that cannot be used; whatever else is wrong is left to the checks.

    Raises:
        UsageError: the taps fit no encoder of 24 blocks, or the method refuses a value.
    """
    place_taps(subject.taps, 24)
    with suppress(CellError, WeightsError):
        call_method(subject.card.name, "build", subject.make)


def rows_of(tokens: Tokens, rows: Sequence[int]) -> Tokens:
    """Return the tokens of some images of a batch, in this order."""
    return slice_batch(tokens, list(rows))


def difference(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """Return the largest difference of two lists of tensors, relative to values above 1; infinite for other shapes."""
    if len(found) != len(wanted) or any(one.shape != other.shape for one, other in zip(found, wanted, strict=True)):
        return float("inf")
    return max(
        float(((one - other).abs() / other.abs().clamp_min(1)).max())
        for one, other in zip(found, wanted, strict=True)
        if one.numel()
    )


def equal(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    """Return whether two lists of tensors are equal bit for bit."""
    return len(found) == len(wanted) and all(map(torch.equal, found, wanted))
