"""Rows of a manifest → batches, read by a few threads ahead of use, in the order asked for.

Pillow decodes and resizes, and NumPy normalises, without the interpreter's lock, so threads suffice: nothing is
pickled, and each thread writes its image where it stays, into the batch.
"""

import math
import mmap
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from zsadbench.data.cards.card import Positive
from zsadbench.data.images.masks import grey_mask, read_mask, resize_mask_nearest, soften_mask
from zsadbench.data.images.preprocess import by, normalise, read_image, resize_image
from zsadbench.data.loading.tensor_cache import Resized, TensorCache
from zsadbench.errors import DataError
from zsadbench.types import Preprocessing

MaskRule = Literal["strict", "native", "training", "training-grey", "none"]
Mask = NDArray[Any]  # uint8 of 0 and 1; float32 from 0 to 1 for `training-grey`


class LoadedBatch(NamedTuple):
    """One batch as read from disk.

    `images` float32 (batch, 3, size, size), normalised; `masks` uint8 of 0 and 1: (batch, size, size) for
    the rules `strict` and `training`, a list of (height, width) for `native`, None for `none`; for `training-grey`
    float32 (batch, size, size) from 0 to 1, or uint8 zeros where all images are normal; `labels` int64 (batch,);
    `rows` int64 (batch,), positions in the frame that was given; `paths` as in the frame.
    """

    images: torch.Tensor
    masks: Mask | list[Mask] | None
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    paths: tuple[str, ...]


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
    cache: TensorCache | None = None,
    pin: bool = False,
) -> Iterator[LoadedBatch]:
    """Read the rows of a manifest in batches; the last one may be smaller.

    `order` lists positions in `rows`, by default all of them as they stand. `masks`: `strict` decodes by
    `positive` and resizes by nearest neighbour, `native` keeps each mask's own size, `training` is the
    publications' rule (every non-zero value, bilinear, cut at one half), `training-grey` is AF-CLIP's (every
    non-zero value, bicubic, left grey), `none` reads none. A normal image has a mask of zeros. With `workers`
    0 everything happens in the caller's thread; the result is the same. It is the same with a `cache` of this
    set's images, too; masks are not cached. `pin` puts the images into page-locked memory, from which a CUDA
    device fetches them while it computes.

    Raises:
        DataError: while iterating: an image or a mask cannot be read, a mask is missing (and `masks` is not
            `none`) or not as large as its image.
    """
    places = np.arange(len(rows)) if order is None else np.asarray(order, dtype=np.int64)
    labels = rows["label"].to_numpy(dtype=np.int64)
    files = rows["path"].tolist(), rows["relative"].tolist(), rows["mask"].tolist()
    read = _Reader(*files, labels, size, preprocessing, masks, positive, cache)
    tasks = _tasks(places, batch_size, size, pin=pin)
    done = _ahead(read, tasks, batch_size + workers, workers) if workers > 0 else (read(*task) for task in tasks)
    return (read.batch(filling) for filling, slot in done if slot == len(filling.places) - 1)


@dataclass(frozen=True, eq=False)
class _Filling:
    """A batch that is being read: its places in the frame, its images, and the masks by slot."""

    places: NDArray[np.int64]
    images: torch.Tensor
    masks: dict[int, Mask] = field(default_factory=dict)


Task = tuple[_Filling, int]  # a batch and one slot of it


def _tasks(places: NDArray[np.int64], batch_size: int, size: int, *, pin: bool) -> Iterator[Task]:
    for start in range(0, len(places), batch_size):
        part = places[start : start + batch_size]
        filling = _Filling(part, _blank((len(part), 3, size, size), pin=pin))
        yield from ((filling, slot) for slot in range(len(part)))


def _blank(shape: tuple[int, ...], *, pin: bool) -> torch.Tensor:
    """A tensor to fill, float32. Pages of its own go back to the system whole: the heap does not fray over an epoch."""
    if pin:
        return torch.empty(shape, pin_memory=True)
    return torch.frombuffer(_pages(4 * math.prod(shape)), dtype=torch.float32).view(shape)


def _pages(count: int) -> mmap.mmap:
    """So many bytes, in huge pages where the system has them: touching small ones costs as much as normalising."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, count)
    pages = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel may be built without them
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


@dataclass(frozen=True)
class _Reader:
    """Reads the sample of one slot into its batch."""

    paths: list[str]
    relative: list[str]
    named: list[str]
    labels: NDArray[np.int64]
    size: int
    preprocessing: Preprocessing
    masks: MaskRule
    positive: Positive
    cache: TensorCache | None

    def __call__(self, filling: _Filling, slot: int) -> Task:
        place = int(filling.places[slot])
        image = self._resized(place)
        if self.masks != "none":
            filling.masks[slot] = self._mask(place, image.native)
        normalise(image.pixels, out=filling.images[slot].numpy())
        return filling, slot

    def _resized(self, place: int) -> Resized:
        """The image at its input size: from the cache, or from its file."""
        found = self.cache.find(self.relative[place], self.paths[place]) if self.cache else None
        if found is not None:
            return found
        image = read_image(self.paths[place])
        made = Resized(resize_image(image, self.size, self.preprocessing), (image.height, image.width))
        if self.cache:
            self.cache.keep(self.relative[place], self.paths[place], made)
        return made

    def _mask(self, place: int, shape: tuple[int, int]) -> Mask:
        """The mask by the rule; a normal image's is zeros, of its own size or the size asked for."""
        if self.labels[place] == 0:
            return np.zeros(shape if self.masks == "native" else (self.size, self.size), dtype=np.uint8)
        truth = self._truth(place, shape)
        if self.masks == "native":
            return truth
        if self.masks == "training-grey":
            return grey_mask(truth, self.size, bicubic=True)
        return resize_mask_nearest(truth, self.size) if self.masks == "strict" else soften_mask(truth, self.size)

    def _truth(self, place: int, shape: tuple[int, int]) -> Mask:
        """The mask at its own size, which must be the image's: (height, width)."""
        mask = self.named[place]
        if not mask:
            raise DataError(f"'{self.paths[place]}' is anomalous and has no mask")
        truth = read_mask(mask, "> 0" if self.masks.startswith("training") else self.positive)
        if truth.shape != shape:
            raise DataError(f"mask '{mask}' is {by(*truth.shape[::-1])}, its image is {by(*shape[::-1])}")
        return truth

    def batch(self, filling: _Filling) -> LoadedBatch:
        """A batch of which every slot has been read."""
        places = filling.places
        masks = [filling.masks[slot] for slot in range(len(places))] if filling.masks else []
        paths = tuple(self.paths[place] for place in places)
        return LoadedBatch(filling.images, self._gather(masks), self.labels[places], places, paths)

    def _gather(self, masks: list[Mask]) -> Mask | list[Mask] | None:
        if self.masks == "none":
            return None
        return masks if self.masks == "native" else np.stack(masks)


def _ahead(read: _Reader, tasks: Iterator[Task], ahead: int, workers: int) -> Iterator[Task]:
    """Tasks as they are done, in order, at most `ahead` of them before use."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zsadbench-read")
    pending: deque[Future[Task]] = deque()
    try:
        for task in tasks:
            pending.append(pool.submit(read, *task))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
