"""From the tokens of a batch to what is measured: image scores, and maps as the protocol wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.clip.towers import arithmetic
from zsadbench.clip.union import pick, some
from zsadbench.engine.encode.batching import Halving
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.evaluate.maps import Map, begin
from zsadbench.engine.machine.to_host import Arrival, to_host
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.errors import CellError
from zsadbench.types import Scores

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.engine.encode.batches import Encoded, Mask
    from zsadbench.engine.machine.timing import Span, Stopwatch
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method, Taps


class Scored(NamedTuple):
    """A batch that is being scored: image scores on their way to the host, maps as the method gives them."""

    paths: tuple[str, ...]
    arrival: Arrival
    pixel: torch.Tensor
    took: Span

    def image(self) -> NDArray[np.float32]:
        """The image scores, (batch,).

        Raises:
            CellError: one is not finite.
        """
        scores = self.arrival()
        finite(scores, self.paths, "image score")
        return scores


class Maps(NamedTuple):
    """The maps of a batch, on their way to the host."""

    paths: tuple[str, ...]
    arrivals: list[Callable[[], Map]]

    def here(self) -> list[Map]:
        """The maps, one an image.

        Raises:
            CellError: one is not finite.
        """
        maps = [arrival()[0] for arrival in self.arrivals]
        for one, path in zip(maps, self.paths, strict=True):
            finite(one, (path,), "anomaly map")
        return maps


@dataclass(frozen=True)
class Scorer:
    """A detector on the images of one class of a data set; `taps` are those that the images were encoded with."""

    setup: MethodSetup
    method: Method
    dataset: Dataset
    class_name: str
    taps: Taps
    watch: Stopwatch
    halving: Halving = field(default_factory=Halving)

    def scores(self, encoded: Encoded) -> Scored:
        """Have a batch scored."""
        words = [self.dataset.card.words(self.setup.name)[self.class_name]] * len(encoded.loaded.paths)
        half = arithmetic(self.watch.device.type, DTYPES[self.setup.precision])
        with self.watch.stage("head") as head, torch.inference_mode(), half:
            tokens = pick(encoded.tokens, self.taps, taps_of(self.setup))
            parts = self.halving(lambda rows: self.method.score(some(tokens, rows), words[rows]), len(words))
            found = Scores(*(torch.cat(part) for part in zip(*parts, strict=True)))
        return Scored(encoded.loaded.paths, to_host(found.image.float()), found.pixel, head)

    def maps(self, scored: Scored, masks: list[Mask] | None) -> Maps:
        """Have the maps of a batch enlarged and smoothed, one by one; `masks` are those read, where there are any."""
        protocol, size, count = self.setup.protocol, self.setup.image_size, len(scored.paths)
        native = protocol.map_size == "native" and masks is not None
        sizes = [mask.shape for mask in masks] if native and masks else [(size, size)] * count
        with self.watch.stage("map"):
            grids = [scored.pixel[index : index + 1] for index in range(count)]
            return Maps(
                scored.paths, [begin(one, wanted, self._sigma()) for one, wanted in zip(grids, sizes, strict=True)]
            )

    def _sigma(self) -> float:
        protocol = self.setup.protocol
        off = protocol.smoothing == "none" or self.dataset.card.name in protocol.unsmoothed
        return 0.0 if off else self.setup.method.card.smoothing


def finite(values: NDArray[np.float32], paths: tuple[str, ...], what: str) -> None:
    """Raise `CellError`, naming the image, where a score or a map holds NaN or infinity.

    `values` has one row an image, or is the one map of the only path.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        index = 0 if len(paths) == 1 else int(np.argmax(bad.reshape(len(paths), -1).any(axis=1)))
        raise CellError(f"the {what} of {paths[index]} holds NaN or infinity; nothing can be ranked with it")
