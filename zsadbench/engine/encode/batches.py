"""The images of one class: read, put through the frozen tower once, and handed to every head that shares it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.clip import Backbone
from zsadbench.clip.union import join
from zsadbench.data import TensorCache, batches, resize_mask_nearest, soften_mask
from zsadbench.engine.encode.batching import Halving
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.machine.timing import Span, Stopwatch
from zsadbench.metrics import count_regions
from zsadbench.types import Taps, Tokens

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.engine.encode.supports import SupportTokens
    from zsadbench.engine.plan.method_setup import MethodSetup

Mask = NDArray[np.uint8]
RESIZE: dict[str, Callable[[Mask, int], Mask]] = {
    "nearest": resize_mask_nearest,
    "bilinear-half": soften_mask,
    "bicubic-half": partial(soften_mask, bicubic=True),
    "none": lambda mask, _: mask,
}


class Encoded(NamedTuple):
    """One batch as every head gets it: `tokens` of all taps; `masks` makes the masks by the protocol's rule, once."""

    loaded: LoadedBatch
    tokens: Tokens
    masks: Callable[[], list[Mask] | None]
    took: Span


@dataclass
class Encoding:
    """One class of a target; going through it reads and encodes every batch once.

    `setup` is any of those that share it: they agree in all that is used here. `supports` are for those of them
    that see a few normal images of the class beforehand. `counts` are of the mask regions
    seen so far, and empty for a set without masks.
    """

    setup: MethodSetup
    taps: Taps
    backbone: Backbone
    target: Dataset
    rows: pd.DataFrame
    batch_size: int
    workers: int
    image_cache: int | None
    watch: Stopwatch
    supports: SupportTokens
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counts = {"regions_native": 0, "masks_emptied": 0} if self.target.card.pixel_level else {}

    def __iter__(self) -> Iterator[Encoded]:
        precision, halving = DTYPES[self.setup.precision], Halving()
        tower = self.backbone.vision  # built now, if nobody asked for it before: that is none of its seconds
        for loaded in self._loaded():
            with self.watch.stage("tower") as span, torch.inference_mode():
                images = loaded.images.to(self.backbone.device, non_blocking=True)
                parts = halving(lambda rows: tower(images[rows], self.taps, precision), len(images))  # noqa: B023
                tokens = join(parts)
            yield Encoded(loaded, tokens, cache(partial(self._masks, loaded)), span)

    def _loaded(self) -> Iterator[LoadedBatch]:
        """Loaded batches; the wait for each is the stage `load`."""
        protocol, size, card = self.setup.protocol, self.setup.image_size, self.target.card
        source = batches(
            self.rows,
            size=size,
            preprocessing=protocol.preprocessing,
            masks="native" if card.pixel_level else "none",
            positive=card.positive if protocol.mask_values == "card" else "> 0",
            batch_size=self.batch_size,
            workers=self.workers,
            cache=TensorCache.for_set(self.target, size, protocol.preprocessing, self.image_cache),
            pin=self.backbone.device.type == "cuda",
        )
        while True:
            with self.watch.stage("load"):
                loaded = next(source, None)
            if loaded is None:
                return
            yield loaded

    def _masks(self, loaded: LoadedBatch) -> list[Mask] | None:
        """Masks as the protocol wants them; regions that vanish or merge on the way are counted."""
        if loaded.masks is None:
            return None
        size, rule = self.setup.image_size, self.setup.protocol.mask_resize
        with self.watch.stage("metrics"):
            resized = [RESIZE[rule](mask, size) for mask in loaded.masks]
            for mask, made in zip(loaded.masks, resized, strict=True):
                if mask.any():
                    self.counts["regions_native"] += count_regions(mask)
                    self.counts["masks_emptied"] += not made.any()
        return resized
