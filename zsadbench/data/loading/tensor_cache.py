"""Resized images on disk, so that a second epoch decodes nothing.

An entry holds one image as it is after the resize and before normalising, uint8 (size, size, 3): what is read
back is bit-equal to what the file would give. Entries lie in a folder named after everything that decides their
pixels (fingerprint of the set, size, order of preprocessing, version of Pillow), one file an image: a header
with the image's own size, the size in bytes and time of change of its file, and a checksum, then the pixels.

Any number of threads and processes may share the cache. A file is written beside its place and moved there, so
none is seen half-written; what a power cut tears fails its checksum. Whatever is not exactly right (truncated,
foreign, of an older file) counts as absent and is written anew. When the room is used up, entries of other sets
make way, the set that was written to longest ago first; then nothing more is kept.
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


class Resized(NamedTuple):
    """An image at its input size, uint8 (size, size, 3), and the size that it had, (height, width)."""

    pixels: NDArray[np.uint8]
    native: tuple[int, int]


class TensorCache:
    """The resized images of one set at one input size; at most `room` bytes are used for all sets together."""

    def __init__(self, folder: Path, size: int, room: int) -> None:
        self.folder, self.size = folder, size
        self._entry_bytes = HEADER.size + 3 * size * size
        self._room = DiskBudget(folder, self._entry_bytes, room, "image cache")

    @classmethod
    def for_set(
        cls, dataset: Dataset, size: int, preprocessing: Preprocessing, room: int | None
    ) -> "TensorCache | None":
        """The cache of a set's images at `size` pixels, below the cache folder; None without room."""
        if not room:
            return None
        decides = [dataset.fingerprint, size, preprocessing, PIL.__version__, MAGIC.decode()]
        key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
        return cls(cache_folder() / "images" / key, size, room)

    def find(self, relative: str, path: str) -> Resized | None:
        """The entry of the image at `path`, memory-mapped; None where there is none, or none that is sound."""
        content = mapped(self._entry(relative))
        try:
            return None if content is None else self._read(content, path)
        except OSError:  # the image itself has gone
            return None

    def keep(self, relative: str, path: str, image: Resized) -> None:
        """Write an entry, if there is room; a cache that cannot be written to is none."""

        def content() -> tuple[bytes, memoryview]:
            pixels = np.ascontiguousarray(image.pixels).data
            return HEADER.pack(MAGIC, self.size, *image.native, *file_stamp(path), zlib.crc32(pixels)), pixels

        self._room.write(self._entry(relative), content, "resized images")

    def _entry(self, relative: str) -> Path:
        return self.folder / hashlib.sha256(relative.encode()).hexdigest()[:32]

    def _read(self, content: mmap.mmap, path: str) -> Resized | None:
        if len(content) != self._entry_bytes:
            return None
        magic, size, height, width, length, changed, checksum = HEADER.unpack_from(content)
        if (magic, size, (length, changed)) != (MAGIC, self.size, file_stamp(path)):
            return None
        pixels = np.frombuffer(content, dtype=np.uint8, offset=HEADER.size).reshape(size, size, 3)
        return Resized(pixels, (height, width)) if zlib.crc32(pixels.data) == checksum else None
