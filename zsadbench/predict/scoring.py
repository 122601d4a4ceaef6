"""Score images in batches: read ahead, score, and keep a failure with its image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.data import oriented_size, read_image
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.errors import CellError, DataError
from zsadbench.predict.tiles import Tiles, score_tiled

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.data import UserImage
    from zsadbench.predict.detector import LoadedMethod

PIXELS = 48_000_000  # of the images of a batch together, so that large photographs do not fill the memory
READERS = 2  # threads

Batch = Sequence["UserImage"]
Read = tuple["Image | DataError", float]  # and the seconds that it took


class Scored(NamedTuple):
    """One image that was scored.

    `picture` is the image, or None where it is to be read again for its heat map. `map` is (height, width), with the
    side of the method's maps, or with one value per pixel of the image where it was scored in tiles.
    """

    image: UserImage
    picture: Image | None
    score: float
    map: NDArray[np.float32]
    seconds: float


class Failed(NamedTuple):
    """One image that could not be read or scored, and why."""

    image: UserImage
    reason: str


class ImageScorer:
    """Scores images in their order, whole or in tiles.

    Args:
        detector: the loaded method.
        tiles: how images are cut; None to score them whole.
        batch_size: images or tiles per batch; None for what suits the device.
    """

    def __init__(self, detector: LoadedMethod, tiles: Tiles | None = None, batch_size: int | None = None) -> None:
        self.detector, self.tiles = detector, tiles
        self.batch_size = batch_size or detector.automatic_batch()

    def __call__(self, images: Iterable[UserImage]) -> Iterator[Scored | Failed]:
        """Score images; while one batch is scored, the next one is read. In tiles, one image is held at a time."""
        if self.tiles is not None:
            for image in images:
                yield self._tiled(image, self.tiles)
            return
        with ThreadPoolExecutor(READERS) as pool:
            reading = None
            for batch in self._batches(images):
                ahead = batch, [pool.submit(_read, image) for image in batch]
                if reading is not None:
                    yield from self._whole(reading[0], [job.result() for job in reading[1]])
                reading = ahead
            if reading is not None:
                yield from self._whole(reading[0], [job.result() for job in reading[1]])

    def _batches(self, images: Iterable[UserImage]) -> Iterator[list[UserImage]]:
        """Group consecutive images of one word, up to the batch size and to `PIXELS`."""
        batch: list[UserImage] = []
        pixels = 0
        for image in images:
            own = _pixels(image)
            full = len(batch) == self.batch_size or pixels + own > PIXELS
            if batch and (full or image.word != batch[0].word):
                yield batch
                batch, pixels = [], 0
            batch.append(image)
            pixels += own
        if batch:
            yield batch

    def _whole(self, batch: Batch, read: Sequence[Read]) -> Iterator[Scored | Failed]:
        """Score a batch; where the batch fails, its images one by one."""
        readable = [(image, found) for image, (found, _) in zip(batch, read, strict=True) if not _is_failure(found)]
        start = perf_counter()
        results = dict(zip([image.path for image, _ in readable], self._scores(readable), strict=True))
        share = (perf_counter() - start) / max(1, len(readable))
        for image, (found, seconds) in zip(batch, read, strict=True):
            result = found if isinstance(found, DataError) else results[image.path]
            if isinstance(result, DataError | CellError):
                yield _failed(image, result)
            elif not isinstance(found, DataError):
                yield Scored(image, found, *result, seconds + share)

    def _scores(
        self, readable: Sequence[tuple[UserImage, Image | DataError]]
    ) -> list[tuple[float, NDArray[np.float32]] | CellError | DataError]:
        if not readable:
            return []
        try:
            with limited_threads():
                scores = self.detector.score_batch([found for _, found in readable], readable[0][0].word)  # type: ignore[misc]
        except (CellError, DataError) as failure:
            if len(readable) == 1:
                return [failure]
            return [result for one in readable for result in self._scores([one])]
        return list(zip(map(float, scores.image), scores.pixel.numpy(), strict=True))

    def _tiled(self, image: UserImage, tiles: Tiles) -> Scored | Failed:
        start = perf_counter()
        try:
            picture = read_image(image.path)
            with limited_threads():
                score, anomaly_map = score_tiled(self.detector, picture, image.word, tiles, self.batch_size)
        except (DataError, CellError) as failure:
            return _failed(image, failure)
        return Scored(image, picture, score, anomaly_map, perf_counter() - start)


def _read(image: UserImage) -> Read:
    start = perf_counter()
    try:
        return read_image(image.path), perf_counter() - start
    except DataError as failure:
        return failure, perf_counter() - start


def _is_failure(found: object) -> bool:
    return isinstance(found, DataError)


def _pixels(image: UserImage) -> int:
    """The number of pixels by the header; 0 where it cannot be read, which fails later with its reason."""
    try:
        width, height = oriented_size(image.path)
    except DataError:
        return 0
    return width * height


def _failed(image: UserImage, failure: DataError | CellError) -> Failed:
    text = str(failure)
    return Failed(image, f"{image.path}: {text}" if isinstance(failure, CellError) else text)
