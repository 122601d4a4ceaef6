"""A cache of resized images on disk, so that no image is decoded after the first epoch.

An entry holds one image after the resize and before normalisation, uint8 (size, size, 3); it is equal bit by bit to
what the image file gives. Entries are files in a folder whose name is a hash of everything that determines the pixels:
fingerprint of the data set, size, order of preprocessing, version of Pillow. An entry has a header with the native
size of the image, the size in bytes and modification time of the image file, and a checksum; then come the pixels.

Threads and processes may share the cache. Entries are written to a temporary name and renamed, so no reader sees an
incomplete one, and the checksum detects damage. An entry that is truncated, foreign, or made from an older file counts
as absent and is written again. The disk space is bounded by `zsadbench.data.loading.disk_budget`.
"""

import hashlib
import json
import logging
import mmap
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from zsadbench.clip import cache_folder
from zsadbench.data.copies.dataset import Dataset
from zsadbench.data.loading.disk_budget import DiskBudget, file_stamp, mapped
from zsadbench.types import Preprocessing

log = logging.getLogger(__name__)

MAGIC = b"zsadpix1"
HEADER = struct.Struct("<8sIIIQqI24x")  # magic, size, native height and width, bytes and time of the file, checksum


class ResizedImage(NamedTuple):
    """An image at input size, uint8 (size, size, 3), and its native size, (height, width)."""

    pixels: NDArray[np.uint8]
    native_size: tuple[int, int]


class TensorCache:
    """The cache of one data set's images at one input size.

    Args:
        folder: the folder of the entries.
        size: side of the resized images in pixels.
        budget_bytes: disk space for the images of all data sets together.
    """

    def __init__(self, folder: Path, size: int, budget_bytes: int) -> None:
        self.folder, self.size = folder, size
        self._entry_bytes = HEADER.size + 3 * size * size
        self._budget = DiskBudget(folder, self._entry_bytes, budget_bytes, "image cache")

    @classmethod
    def for_set(
        cls, dataset: Dataset, size: int, preprocessing: Preprocessing, budget_bytes: int | None
    ) -> "TensorCache | None":
        """The cache of a data set's images at `size` pixels, in the cache folder; None if the budget is 0 or None."""
        if not budget_bytes:
            return None
        determines_pixels = [dataset.fingerprint, size, preprocessing, PIL.__version__, MAGIC.decode()]
        key = hashlib.sha256(json.dumps(determines_pixels).encode()).hexdigest()[:32]
        return cls(cache_folder() / "images" / key, size, budget_bytes)

    def find(self, relative: str, path: str) -> ResizedImage | None:
        """The cached image of the file `path`, memory-mapped; None if there is no valid entry.

        Args:
            relative: the path of the image relative to the root of the data set, which names the entry.
            path: the absolute path, to check that the file has not changed.
        """
        content = mapped(self._entry(relative))
        try:
            return None if content is None else self._read(content, path)
        except OSError:  # the image file no longer exists
            return None

    def keep(self, relative: str, path: str, image: ResizedImage) -> None:
        """Write an entry if the budget allows it; failures are logged and do not raise."""

        def content() -> tuple[bytes, memoryview]:
            pixels = np.ascontiguousarray(image.pixels).data
            return HEADER.pack(MAGIC, self.size, *image.native_size, *file_stamp(path), zlib.crc32(pixels)), pixels

        self._budget.write(self._entry(relative), content, "resized images")

    def _entry(self, relative: str) -> Path:
        return self.folder / hashlib.sha256(relative.encode()).hexdigest()[:32]

    def _read(self, content: mmap.mmap, path: str) -> ResizedImage | None:
        if len(content) != self._entry_bytes:
            return None
        magic, size, height, width, length, changed, checksum = HEADER.unpack_from(content)
        if (magic, size, (length, changed)) != (MAGIC, self.size, file_stamp(path)):
            return None
        pixels = np.frombuffer(content, dtype=np.uint8, offset=HEADER.size).reshape(size, size, 3)
        return ResizedImage(pixels, (height, width)) if zlib.crc32(pixels.data) == checksum else None
