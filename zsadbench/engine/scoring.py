"""From the tokens of a batch to what is measured: image scores, and maps as the protocol wants them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.clip.towers import arithmetic
from zsadbench.clip.union import pick, some
from zsadbench.engine.batching import Halving
from zsadbench.engine.maps import Map, finish
from zsadbench.engine.shared import taps_of
from zsadbench.engine.train import DTYPES
from zsadbench.errors import CellError
from zsadbench.types import Scores

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.engine.cells import Setting
    from zsadbench.engine.cost import Stopwatch
    from zsadbench.engine.encode import Encoded, Mask
    from zsadbench.types import Method, Taps


@dataclass(frozen=True)
class Scorer:
    """A detector on the images of one class of a data set; `taps` are those that the images were encoded with."""

    setting: Setting
    method: Method
    dataset: Dataset
    class_name: str
    taps: Taps
    watch: Stopwatch
    halving: Halving = field(default_factory=Halving)

    def scores(self, encoded: Encoded) -> tuple[NDArray[np.float32], torch.Tensor]:
        """Image scores (batch,), and maps as the method gives them.

        Raises:
            CellError: an image score is not finite.
        """
        words = [self.dataset.card.words(self.setting.name)[self.class_name]] * len(encoded.loaded.paths)
        half = arithmetic(self.watch.device.type, DTYPES[self.setting.precision])
        with self.watch.stage("head"), torch.inference_mode(), half:
            tokens = pick(encoded.tokens, self.taps, taps_of(self.setting))
            parts = self.halving(lambda rows: self.method.score(some(tokens, rows), words[rows]), len(words))
            found = Scores(*(torch.cat(part) for part in zip(*parts, strict=True)))
        image = found.image.float().cpu().numpy()
        finite(image, encoded.loaded.paths, "image score")
        return image, found.pixel

    def maps(self, pixel: torch.Tensor, masks: list[Mask] | None, paths: tuple[str, ...]) -> list[Map]:
        """The maps of a batch, enlarged and smoothed one by one.

        Raises:
            CellError: a map is not finite.
        """
        protocol, size = self.setting.protocol, self.setting.image_size
        native = protocol.map_size == "native" and masks is not None
        sizes = [mask.shape for mask in masks] if native and masks else [(size, size)] * len(paths)
        with self.watch.stage("map"):
            grids = [pixel[index : index + 1] for index in range(len(paths))]
            maps = [finish(grid, wanted, self._sigma())[0] for grid, wanted in zip(grids, sizes, strict=True)]
        for one, path in zip(maps, paths, strict=True):
            finite(one, (path,), "anomaly map")
        return maps

    def _sigma(self) -> float:
        protocol = self.setting.protocol
        off = protocol.smoothing == "none" or self.dataset.card.name in protocol.unsmoothed
        return 0.0 if off else self.setting.method.card.smoothing


def finite(values: NDArray[np.float32], paths: tuple[str, ...], what: str) -> None:
    """Raise `CellError`, naming the image, where a score or a map holds NaN or infinity.

    `values` has one row an image, or is the one map of the only path.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        index = 0 if len(paths) == 1 else int(np.argmax(bad.reshape(len(paths), -1).any(axis=1)))
        raise CellError(f"the {what} of {paths[index]} holds NaN or infinity; nothing can be ranked with it")
