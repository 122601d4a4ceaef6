"""Rows of a manifest → batches, read by a few threads ahead of use, in the order asked for.

Pillow decodes and resizes without the interpreter's lock, so threads suffice; nothing is pickled.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from zsadbench.data.card import Positive
from zsadbench.data.images import by, prepare, read_image, read_mask, resize_mask_nearest, soften_mask
from zsadbench.errors import DataError
from zsadbench.types import Preprocessing

MaskRule = Literal["strict", "native", "training", "none"]
Mask = NDArray[np.uint8]


class LoadedBatch(NamedTuple):
    """One batch as read from disk.

    `images` float32 (batch, 3, size, size), normalised; `masks` uint8 of 0 and 1: (batch, size, size) for
    the rules `strict` and `training`, a list of (height, width) for `native`, None for `none`; `labels`
    int64 (batch,); `rows` int64 (batch,), positions in the frame that was given; `paths` as in the frame.
    """

    images: torch.Tensor
    masks: Mask | list[Mask] | None
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    paths: tuple[str, ...]


class _Item(NamedTuple):
    image: NDArray[np.float32]
    mask: Mask | None


def batches(
    rows: pd.DataFrame,
    *,
    size: int,
    preprocessing: Preprocessing = "rgb_first",
    masks: MaskRule = "strict",
    positive: Positive = "> 0",
    batch_size: int = 8,
    workers: int = 4,
    order: Sequence[int] | NDArray[np.int64] | None = None,
) -> Iterator[LoadedBatch]:
    """Read the rows of a manifest in batches; the last one may be smaller.

    `order` lists positions in `rows`, by default all of them as they stand. `masks`: `strict` decodes by
    `positive` and resizes by nearest neighbour, `native` keeps each mask's own size, `training` is the
    publications' rule (every non-zero value, bilinear, cut at one half), `none` reads none. A normal image
    has a mask of zeros. With `workers` 0 everything happens in the caller's thread; the result is the same.

    Raises:
        DataError: while iterating: an image or a mask cannot be read, a mask is missing (and `masks` is not
            `none`) or not as large as its image.
    """
    places = np.arange(len(rows)) if order is None else np.asarray(order, dtype=np.int64)
    labels = rows["label"].to_numpy(dtype=np.int64)
    read = _Reader(rows["path"].tolist(), rows["mask"].tolist(), labels, size, preprocessing, masks, positive)
    return _batched(read, places, batch_size, workers)


@dataclass(frozen=True)
class _Reader:
    """Reads the sample at one position."""

    paths: list[str]
    named: list[str]
    labels: NDArray[np.int64]
    size: int
    preprocessing: Preprocessing
    masks: MaskRule
    positive: Positive

    def __call__(self, place: int) -> _Item:
        image = read_image(self.paths[place])
        mask = None if self.masks == "none" else self._mask(place, (image.height, image.width))
        return _Item(prepare(image, self.size, self.preprocessing), mask)

    def _mask(self, place: int, shape: tuple[int, int]) -> Mask:
        """The mask by the rule; a normal image's is zeros, of its own size or the size asked for."""
        if self.labels[place] == 0:
            return np.zeros(shape if self.masks == "native" else (self.size, self.size), dtype=np.uint8)
        truth = self._truth(place, shape)
        if self.masks == "native":
            return truth
        return resize_mask_nearest(truth, self.size) if self.masks == "strict" else soften_mask(truth, self.size)

    def _truth(self, place: int, shape: tuple[int, int]) -> Mask:
        """The mask at its own size, which must be the image's: (height, width)."""
        mask = self.named[place]
        if not mask:
            raise DataError(f"'{self.paths[place]}' is anomalous and has no mask")
        truth = read_mask(mask, "> 0" if self.masks == "training" else self.positive)
        if truth.shape != shape:
            raise DataError(f"mask '{mask}' is {by(*truth.shape[::-1])}, its image is {by(*shape[::-1])}")
        return truth

    def batch(self, places: NDArray[np.int64], items: list[_Item]) -> LoadedBatch:
        """Put samples together."""
        images = torch.from_numpy(np.stack([item.image for item in items]))
        masks = [item.mask for item in items if item.mask is not None]
        return LoadedBatch(
            images, self._gather(masks), self.labels[places], places, tuple(self.paths[at] for at in places)
        )

    def _gather(self, masks: list[Mask]) -> Mask | list[Mask] | None:
        if self.masks == "none":
            return None
        return masks if self.masks == "native" else np.stack(masks)


def _batched(read: _Reader, places: NDArray[np.int64], batch_size: int, workers: int) -> Iterator[LoadedBatch]:
    items = _ahead(read, places, batch_size, workers) if workers > 0 else map(read, places)
    for start in range(0, len(places), batch_size):
        yield read.batch(places[start : start + batch_size], list(islice(items, batch_size)))


def _ahead(read: _Reader, places: NDArray[np.int64], batch_size: int, workers: int) -> Iterator[_Item]:
    """Samples in order, at most one batch and one image a worker ahead of use."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zsadbench-read")
    pending: deque[Future[_Item]] = deque()
    try:
        for place in places:
            pending.append(pool.submit(read, place))
            if len(pending) > batch_size + workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
