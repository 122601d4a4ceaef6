"""Turn tokens into image scores and anomaly maps, for run, predict, explain, profile and parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.clip.towers import autocast
from zsadbench.clip.union import slice_batch
from zsadbench.engine.encode.batching import Halving
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.evaluate.maps import AnomalyMap, start_map
from zsadbench.engine.machine.method_calls import batch_of, call_method, checked_parts, checked_scores, what_is
from zsadbench.engine.machine.timing import Stopwatch
from zsadbench.engine.machine.to_host import PendingArray, to_host
from zsadbench.errors import CellError
from zsadbench.types import Parted, Scores

if TYPE_CHECKING:
    from zsadbench.engine.machine.timing import Span
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method, Tokens


class ScoredBatch(NamedTuple):
    """Image scores and anomaly maps of one batch, being copied from the device to the host.

    `maps` is None if no maps are needed; `scoring` is how long the head took. `parts` are those of a finishing step.
    """

    paths: tuple[str, ...]
    scores: PendingArray
    maps: list[Callable[[], AnomalyMap]] | None
    scoring: Span
    parts: Mapping[str, PendingArray] = MappingProxyType({})

    def image_scores(self) -> NDArray[np.float32]:
        """Wait for the image scores, (batch,).

        Raises:
            CellError: a score is not finite.
        """
        scores = self.scores()
        check_finite(scores, self.paths, "image score")
        return scores

    def image_parts(self) -> dict[str, NDArray[np.float32]]:
        """Wait for the parts of a finishing step, (batch,) each.

        Raises:
            CellError: a part is not finite.
        """
        parts = {name: wait() for name, wait in self.parts.items()}
        for name, values in parts.items():
            check_finite(values, self.paths, f"part '{name}'")
        return parts

    def anomaly_maps(self) -> list[AnomalyMap] | None:
        """Wait for the anomaly maps, one (height, width) per image; None where none were made.

        Raises:
            CellError: a map is not finite.
        """
        if self.maps is None:
            return None
        maps = [wait() for wait in self.maps]
        for anomaly_map, path in zip(maps, self.paths, strict=True):
            check_finite(anomaly_map, (path,), "anomaly map")
        return maps


@dataclass
class Scorer:
    """Score batches of tokens with one method.

    `size` is the side of the anomaly maps in pixels; `sigma` the standard deviation of their Gaussian smoothing in
    pixels, 0 for none. `score` and `start_maps` are the two steps; `score_batch` takes both, measures their time and
    halves the batch where memory is short. `name` is the method's, for messages. `part_names` are the parts that a
    finishing step needs of each image.
    """

    method: Method
    device: torch.device
    size: int
    sigma: float
    precision: str = "fp32"
    halving: Halving = field(default_factory=Halving)
    name: str = ""
    part_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.name = self.name or type(self.method).__name__
        self.watch = Stopwatch(self.device)

    @classmethod
    def of(
        cls, setup: MethodSetup, method: Method, device: torch.device, dataset: str = "", *, few_shot: bool = False
    ) -> Scorer:
        """Make the scorer of a method, or of its few-shot form, under its protocol, on the data set of this name."""
        protocol = setup.protocol
        unsmoothed = protocol.smoothing == "none" or dataset in protocol.unsmoothed
        sigma = 0.0 if unsmoothed else setup.method.card.smoothing
        step = setup.finishing_step(few_shot=few_shot)
        parts = step.parts if step else ()
        return cls(method, device, setup.map_side, sigma, setup.precision, name=setup.name, part_names=parts)

    def score(self, tokens: Tokens, class_words: Sequence[str], paths: Sequence[str] = ()) -> Scores:
        """Score one batch on the device: image scores (batch,) and maps on the method's own grid.

        Args:
            tokens: the taps that the method reads.
            class_words: the word for prompts, one per image.
            paths: of the images, for messages.

        Raises:
            CellError: the method fails, or returns something else than such scores and maps.
        """
        of = batch_of(paths, len(class_words))
        with torch.inference_mode(), autocast(self.device.type, DTYPES[self.precision]):
            returned = call_method(self.name, "score", self.method.score, tokens, class_words, of=of)
            return checked_scores(self.name, returned, len(class_words), of)

    def start_maps(
        self, pixel: torch.Tensor, sizes: Sequence[tuple[int, int]] | None = None
    ) -> list[Callable[[], AnomalyMap]]:
        """Enlarge and smooth maps (batch, h, w) one by one on the device.

        Returns:
            One function per image; it waits for the map, float32 (height, width) on the host. The size is that of
            `sizes`, else the scorer's.
        """
        wanted = sizes or [(self.size, self.size)] * len(pixel)
        return [start_map(pixel[k : k + 1], size, self.sigma) for k, size in enumerate(wanted)]

    def score_batch(
        self, tokens: Tokens, class_word: str, paths: tuple[str, ...], sizes: Sequence[tuple[int, int]] | None
    ) -> ScoredBatch:
        """Score one batch of one class and start its maps; nothing waits for the device.

        Args:
            tokens: the taps that the method reads.
            class_word: the word for prompts.
            paths: of the images, for messages.
            sizes: of the maps, one (height, width) per image; None if no maps are needed.

        Raises:
            CellError: as `score`.
        """
        words = [class_word] * len(paths)
        with self.watch.stage("head") as scoring, torch.inference_mode():
            some = self.halving(
                lambda rows: self._score_in_parts(slice_batch(tokens, rows), words[rows], paths[rows]), len(words)
            )
            self._check_alike([scores for scores, _ in some])
            image, pixel = (torch.cat(tensors) for tensors in zip(*(scores for scores, _ in some), strict=True))
            parts = {name: to_host(torch.cat([part[name] for _, part in some])) for name in self.part_names}
        scores = to_host(image.float())
        if sizes is None:
            return ScoredBatch(paths, scores, None, scoring, parts)
        with self.watch.stage("map"):
            return ScoredBatch(paths, scores, self.start_maps(pixel, sizes), scoring, parts)

    def _score_in_parts(
        self, tokens: Tokens, words: Sequence[str], paths: Sequence[str]
    ) -> tuple[Scores, dict[str, torch.Tensor]]:
        """Score one batch, and compute the parts of a finishing step from it."""
        scores = self.score(tokens, words, paths)
        return scores, self.image_parts(tokens, words, scores, batch_of(paths, len(words)))

    def image_parts(
        self, tokens: Tokens, words: Sequence[str], scores: Scores, of: str = ""
    ) -> dict[str, torch.Tensor]:
        """Return the parts of a batch that was scored, float32 (batch,) each; empty without a finishing step.

        Raises:
            CellError: the method fails, or lacks a part.
        """
        if not self.part_names:
            return {}
        with torch.inference_mode(), autocast(self.device.type, DTYPES[self.precision]):
            compute = cast(Parted, self.method).image_parts
            returned = call_method(self.name, "image_parts", compute, tokens, words, scores, of=of)
            return checked_parts(self.name, returned, self.part_names, len(words), of)

    def _check_alike(self, parts: Sequence[Scores]) -> None:
        """Raise `CellError` where the maps of two parts of a batch differ in size."""
        if len({part.pixel.shape[1:] for part in parts}) > 1:
            found = " and ".join(what_is(part.pixel) for part in parts)
            raise CellError(f"'{self.name}' returned maps of {found} for parts of one batch; wanted is one size")


def check_finite(values: NDArray[np.float32], paths: tuple[str, ...], what: str) -> None:
    """Check that a batch of scores (one per path), or the map of the only path, holds neither NaN nor infinity.

    Raises:
        CellError: a value is not finite; the message names the first such image.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        index = 0 if len(paths) == 1 else int(np.argmax(bad.reshape(len(paths), -1).any(axis=1)))
        raise CellError(f"the {what} of {paths[index]} holds NaN or infinity; nothing can be ranked with it")
