"""Read the images of one class in batches and encode them with the frozen image encoder; resize their masks.

This is the first half of the way of a batch: file → `LoadedBatch` → `EncodedBatch`. The second half, from tokens to
metrics, is in `zsadbench.engine.evaluate.classes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import torch

from zsadbench.clip import Backbone
from zsadbench.clip.union import join
from zsadbench.data import TensorCache, batches
from zsadbench.engine.encode.batching import Halving
from zsadbench.engine.encode.encoders import Encoder
from zsadbench.engine.encode.masks import NO_REGIONS, Mask, region_counts, resize_mask
from zsadbench.engine.machine.timing import Span, Stopwatch
from zsadbench.types import Taps, Tokens

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.engine.plan.method_setup import MethodSetup


class EncodedBatch(NamedTuple):
    """One batch after the image encoder.

    `tokens` has every tap that the heads need; `encoding` is how long the encoder took. `masks()` returns the masks
    resized by the protocol's rule, a list of uint8 (height, width) of 0 and 1, or None where the data set has none; the
    first call resizes them in the calling thread.
    """

    loaded: LoadedBatch
    tokens: Tokens
    masks: Callable[[], list[Mask] | None]
    encoding: Span


@dataclass
class ClassImages:
    """The test images of one class; iterating over them reads and encodes each batch once.

    `setup` belongs to any of the methods that share the encoding: they agree in all that is used here. `taps` is the
    union of what these methods read, `encode` computes it. `part` is the slice of `rows` that is read, None for all;
    positions of images are always those in `rows`. `class_word` is the word in the prompts, for a method that
    encodes images itself. `mask_counts` counts regions at native size, and regions and masks that vanish
    by resizing, over the batches so far; it is empty for a data set without masks.
    """

    setup: MethodSetup
    taps: Taps
    encode: Encoder
    class_word: str
    backbone: Backbone
    target: Dataset
    rows: pd.DataFrame
    batch_size: int
    workers: int
    image_cache: int | None
    watch: Stopwatch
    part: slice | None = None
    mask_counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.mask_counts = Counter(NO_REGIONS if self.target.card.pixel_level else {})

    @property
    def pixels(self) -> int:
        """Evaluated pixels of all images of the class."""
        return len(self.rows) * self.setup.map_side**2

    def __iter__(self) -> Iterator[EncodedBatch]:
        halving, device = Halving(), self.backbone.device
        _ = self.backbone.vision  # built here, so that building it is not part of the stage `tower`
        for loaded in self._loaded():
            with self.watch.stage("tower") as span, torch.inference_mode():
                images = loaded.images.to(device, non_blocking=True)
                words = [self.class_word] * len(images)
                parts = halving(lambda rows: self.encode(images[rows], words[rows]), len(images))  # noqa: B023
                tokens = join(parts)
            yield EncodedBatch(loaded, tokens, cache(partial(self._masks, loaded)), span)

    def _loaded(self) -> Iterator[LoadedBatch]:
        """Yield batches as read from disk; the time spent waiting for them is the stage `load`."""
        protocol, size, card = self.setup.protocol, self.setup.image_size, self.target.card
        source = batches(
            self.rows,
            size=size,
            preprocessing=protocol.preprocessing,
            pixels=self.setup.spec.config.pixels,
            masks="native" if card.pixel_level else "none",
            positive=card.positive if protocol.mask_values == "card" else "!= 0",
            batch_size=self.batch_size,
            workers=self.workers,
            order=None if self.part is None else range(len(self.rows))[self.part],
            cache=TensorCache.for_set(self.target, size, protocol.preprocessing, self.image_cache),
            pin=self.backbone.device.type == "cuda",
            files=self.target.files,
        )
        while True:
            with self.watch.stage("load"):
                loaded = next(source, None)
            if loaded is None:
                return
            yield loaded

    def _masks(self, loaded: LoadedBatch) -> list[Mask] | None:
        """Resize masks by the protocol's rule, and count regions and what vanishes."""
        if loaded.masks is None:
            return None
        protocol, size = self.setup.protocol, self.setup.map_side
        with self.watch.stage("metrics"):
            resized = [resize_mask(mask, protocol, size) for mask in loaded.masks]
            self.mask_counts.update(region_counts(list(loaded.masks), resized, protocol.mask_resize))
        return resized
