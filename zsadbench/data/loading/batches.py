"""Load the rows of a manifest in batches, in a given order; a few threads read ahead.

Pillow decodes and resizes images, and NumPy normalises them, without the global interpreter lock. Threads are
therefore enough: nothing is pickled, and each thread writes its image directly into the batch.
"""

import math
import mmap
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from zsadbench.data.copies.file_hashes import FileHashes
from zsadbench.data.images.masks import ReadingRule, read_mask, resize_mask_grey, resize_mask_nearest, soften_mask
from zsadbench.data.images.mosaic import Tiles, tile_images, tile_masks
from zsadbench.data.images.preprocess import normalise, read_image, resize_image, size_text
from zsadbench.data.images.turn import turned
from zsadbench.data.loading.tensor_cache import ResizedImage, TensorCache
from zsadbench.errors import DataError
from zsadbench.tokens import CLIP_PIXELS, PixelNorm
from zsadbench.types import Preprocessing

MaskRule = Literal["strict", "native", "training", "training-grey", "training-nearest", "none"]
Mask = NDArray[Any]  # uint8 of 0 and 1; float32 from 0 to 1 for `training-grey`


class LoadedBatch(NamedTuple):
    """One batch.

    Attributes:
        images: float32 (batch, 3, size, size), normalised.
        masks: by the rule. `strict`, `training` and `training-nearest`: uint8 (batch, size, size) of 0 and 1. `native`:
            a list of uint8 (height, width). `training-grey`: float32 (batch, size, size) from 0 to 1, or uint8 zeros
            if all images are normal. `none`: None.
        labels: int64 (batch,), 0 normal and 1 anomalous.
        rows: int64 (batch,), positions of the samples in the frame passed to `batches`.
        paths: absolute paths of the images.
        mosaics: bool (batch,), whether the image is a mosaic that replaces the one in this row.
    """

    images: torch.Tensor
    masks: Mask | list[Mask] | None
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    paths: tuple[str, ...]
    mosaics: NDArray[np.bool_]


def batches(
    rows: pd.DataFrame,
    *,
    size: int,
    preprocessing: Preprocessing = "rgb_first",
    pixels: PixelNorm = CLIP_PIXELS,
    masks: MaskRule = "strict",
    positive: ReadingRule = "> 0",
    batch_size: int = 8,
    workers: int = 4,
    order: Sequence[int] | NDArray[np.int64] | None = None,
    cache: TensorCache | None = None,
    pin: bool = False,
    files: FileHashes | None = None,
    angle: float = 0.0,
    mosaics: Mapping[int, Tiles] = MappingProxyType({}),
) -> Iterator[LoadedBatch]:
    """Load the rows of a manifest in batches; the last batch may be smaller.

    The result does not depend on `workers` or `cache`.

    Args:
        rows: rows of a manifest.
        size: side of the input in pixels.
        preprocessing: whether images are converted to RGB before or after the resize.
        pixels: what images are normalised with.
        masks: `strict` decodes masks by `positive` and resizes them by nearest neighbour; `native` keeps their own
            size; `training` is the publications' rule (every non-zero value, bilinear, threshold one half);
            `training-grey` is AF-CLIP's (every non-zero value, bicubic, left grey), `training-nearest` AA-CLIP's
            (every non-zero value, nearest neighbour); `none` reads no masks. The mask of a normal image is zero.
        positive: the grey values of a mask that count as anomalous.
        batch_size: images per batch.
        workers: threads that read ahead; with 0, the calling thread reads.
        order: positions in `rows` in the order of loading; None for all rows in their own order.
        cache: a cache of resized images of this data set; masks are not cached.
        pin: whether to put the images into page-locked memory, from which a CUDA device can copy asynchronously.
        files: the hashes of the images and masks, as those of `Dataset.files`, to check that their content is still
            the same; None for no check.
        angle: by which images, not masks, are turned before they are resized, in degrees; without a cache.
        mosaics: position in `rows` → positions of four images: these are put together at their own size, as their masks
            are, and the whole is resized in place of the image. Its label stays that of the row.

    Raises:
        DataError: during iteration, if an image or a mask cannot be read or has changed, or if a mask is missing or has
            another size than its image (and `masks` is not `none`).
    """
    positions = np.arange(len(rows)) if order is None else np.asarray(order, dtype=np.int64)
    labels = rows["label"].to_numpy(dtype=np.int64)
    paths = rows["path"].tolist(), rows["relative"].tolist(), rows["mask"].tolist()
    read = _Reader(*paths, labels, size, preprocessing, pixels, masks, positive, cache, files, angle, mosaics)
    tasks = _tasks(positions, batch_size, size, pin=pin)
    done = _read_ahead(read, tasks, batch_size + workers, workers) if workers > 0 else (read(*task) for task in tasks)
    return (read.finish(batch) for batch, slot in done if slot == len(batch.positions) - 1)


@dataclass(frozen=True, eq=False)
class _UnfinishedBatch:
    """A batch that is being read: positions in the frame, images, and masks by slot."""

    positions: NDArray[np.int64]
    images: torch.Tensor
    masks: dict[int, Mask] = field(default_factory=dict)


Task = tuple[_UnfinishedBatch, int]  # a batch, and the slot in it to read


def _tasks(positions: NDArray[np.int64], batch_size: int, size: int, *, pin: bool) -> Iterator[Task]:
    for start in range(0, len(positions), batch_size):
        selected = positions[start : start + batch_size]
        batch = _UnfinishedBatch(selected, _empty((len(selected), 3, size, size), pin=pin))
        yield from ((batch, slot) for slot in range(len(selected)))


def _empty(shape: tuple[int, ...], *, pin: bool) -> torch.Tensor:
    """An uninitialised float32 tensor.

    Unless pinned, it has its own memory pages, which are returned to the system as a whole, so that the heap does not
    fragment during an epoch. The pages are huge if the system supports it: the first access to small pages takes as
    long as normalising an image.
    """
    if pin:
        return torch.empty(shape, pin_memory=True)
    length = 4 * math.prod(shape)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # the kernel may not support it
            pages.madvise(mmap.MADV_HUGEPAGE)
    else:
        pages = mmap.mmap(-1, length)
    return torch.frombuffer(pages, dtype=torch.float32).view(shape)


@dataclass(frozen=True)
class _Reader:
    """Reads one sample into its slot of a batch."""

    paths: list[str]
    relative: list[str]
    mask_paths: list[str]
    labels: NDArray[np.int64]
    size: int
    preprocessing: Preprocessing
    pixels: PixelNorm
    masks: MaskRule
    positive: ReadingRule
    cache: TensorCache | None
    files: FileHashes | None
    angle: float
    mosaics: Mapping[int, Tiles]

    def __call__(self, batch: _UnfinishedBatch, slot: int) -> Task:
        position = int(batch.positions[slot])
        tiles = self.mosaics.get(position)
        if tiles is not None:
            pixels, batch.masks[slot] = self._mosaic(tiles)
        else:
            image = self._resized_image(position)
            pixels = image.pixels
            if self.masks != "none":
                batch.masks[slot] = self._mask(position, image.native_size)
        normalise(pixels, batch.images[slot].numpy(), self.pixels)
        return batch, slot

    def _unchanged(self, path: str) -> AbstractContextManager[None]:
        """A context that checks a file if there are hashes; see `FileHashes.unchanged`."""
        return self.files.unchanged(path) if self.files else nullcontext()

    def _resized_image(self, position: int) -> ResizedImage:
        """The image at input size, from the cache or from its file."""
        relative, path = self.relative[position], self.paths[position]
        with self._unchanged(path):
            cached = self.cache.find(relative, path) if self.cache else None
            if cached is not None:
                return cached
            image = turned(read_image(path), self.angle)
        resized = ResizedImage(resize_image(image, self.size, self.preprocessing), (image.height, image.width))
        if self.cache:
            self.cache.keep(relative, path, resized)
        return resized

    def _mosaic(self, tiles: Tiles) -> tuple[NDArray[np.uint8], Mask]:
        """Four images put together and resized, and their mask by the rule."""
        images, masks = [], []
        for position in tiles:
            with self._unchanged(self.paths[position]):
                images.append(read_image(self.paths[position]))
            size = images[-1].height, images[-1].width
            anomalous = self.labels[position] and self.masks != "none"
            masks.append(self._native_mask(position, size) if anomalous else np.zeros(size, dtype=np.uint8))
        return resize_image(tile_images(images), self.size, self.preprocessing), self._resized_mask(tile_masks(masks))

    def _mask(self, position: int, native_size: tuple[int, int]) -> Mask:
        """The mask by the rule; zeros for a normal image."""
        if self.labels[position] == 0:
            return np.zeros(native_size if self.masks == "native" else (self.size, self.size), dtype=np.uint8)
        return self._resized_mask(self._native_mask(position, native_size))

    def _resized_mask(self, mask: NDArray[np.uint8]) -> Mask:
        """A mask of 0 and 1, (height, width), resized by the rule."""
        if self.masks == "native":
            return mask
        if self.masks == "training-grey":
            return resize_mask_grey(mask, self.size, bicubic=True)
        nearest = self.masks in {"strict", "training-nearest"}
        return resize_mask_nearest(mask, self.size) if nearest else soften_mask(mask, self.size)

    def _native_mask(self, position: int, native_size: tuple[int, int]) -> NDArray[np.uint8]:
        """The mask at its own size, (height, width), which must be the size of the image."""
        path = self.mask_paths[position]
        if not path:
            raise DataError(f"'{self.paths[position]}' is anomalous and has no mask")
        rule: ReadingRule = "!= 0" if self.masks.startswith("training") else self.positive
        with self._unchanged(path):
            mask = read_mask(path, rule)
            if mask.shape != native_size:  # of the stored pixels of an image that EXIF turns
                mask = read_mask(path, rule, self.paths[position])
        if mask.shape != native_size:
            sizes = f"{size_text(*mask.shape[::-1])}, its image is {size_text(*native_size[::-1])}"
            raise DataError(f"mask '{path}' is {sizes}")
        return mask

    def finish(self, batch: _UnfinishedBatch) -> LoadedBatch:
        """Finish a batch whose slots have all been read."""
        positions = batch.positions
        masks: Mask | list[Mask] | None = None
        if self.masks != "none":
            in_order = [batch.masks[slot] for slot in range(len(positions))]
            masks = in_order if self.masks == "native" else np.stack(in_order)
        paths = tuple(self.paths[position] for position in positions)
        replaced = np.array([position in self.mosaics for position in positions.tolist()], dtype=bool)
        return LoadedBatch(batch.images, masks, self.labels[positions], positions, paths, replaced)


def _read_ahead(read: _Reader, tasks: Iterator[Task], ahead: int, workers: int) -> Iterator[Task]:
    """Run the tasks in threads and yield them in order; at most `ahead` finished or running tasks wait to be used."""
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
