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
import os
import secrets
import shutil
import struct
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from zsadbench.clip import cache_folder
from zsadbench.data.dataset import Dataset
from zsadbench.types import Preprocessing

log = logging.getLogger(__name__)

MAGIC = b"zsadpix1"
HEADER = struct.Struct("<8sIIIQqI24x")  # magic, size, native height and width, bytes and time of the file, checksum
RECOUNT = 256  # entries written before the room is measured again, for others write as well


class Resized(NamedTuple):
    """An image at its input size, uint8 (size, size, 3), and the size that it had, (height, width)."""

    pixels: NDArray[np.uint8]
    native: tuple[int, int]


class TensorCache:
    """The resized images of one set at one input size; at most `room` bytes are used for all sets together."""

    def __init__(self, folder: Path, size: int, room: int) -> None:
        self.folder, self.size, self.room = folder, size, room
        self._lock = threading.Lock()
        self._entry_bytes = HEADER.size + 3 * size * size
        self._allowed = 0  # entries that may be written before the room is measured
        self._full = False

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
        try:
            with self._entry(relative).open("rb") as stream:
                content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            return self._read(content, path)
        except (OSError, ValueError):  # absent; or empty, which cannot be mapped
            return None

    def keep(self, relative: str, path: str, image: Resized) -> None:
        """Write an entry, if there is room; a cache that cannot be written to is none."""
        if not self._may_write():
            return
        entry = self._entry(relative)
        temporary = entry.with_name(f".{entry.name}.{secrets.token_hex(4)}")
        try:
            pixels = np.ascontiguousarray(image.pixels).data
            header = HEADER.pack(MAGIC, self.size, *image.native, *_stamp(path), zlib.crc32(pixels))
            entry.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as stream:  # not flushed to disk, unlike results: the checksum tells
                stream.write(header)
                stream.write(pixels)
            temporary.replace(entry)
        except FileNotFoundError:
            log.debug("'%s' has just been removed", self.folder)  # by a process that needs the room; or the image has
        except OSError as failure:
            with suppress(OSError):
                temporary.unlink()
            self._stop(f"resized images cannot be kept in '{self.folder}': {failure}")

    def _entry(self, relative: str) -> Path:
        return self.folder / hashlib.sha256(relative.encode()).hexdigest()[:32]

    def _read(self, content: mmap.mmap, path: str) -> Resized | None:
        if len(content) != self._entry_bytes:
            return None
        magic, size, height, width, length, changed, checksum = HEADER.unpack_from(content)
        if (magic, size, (length, changed)) != (MAGIC, self.size, _stamp(path)):
            return None
        pixels = np.frombuffer(content, dtype=np.uint8, offset=HEADER.size).reshape(size, size, 3)
        return Resized(pixels, (height, width)) if zlib.crc32(pixels.data) == checksum else None

    def _may_write(self) -> bool:
        with self._lock:
            if self._full:
                return False
            if self._allowed == 0:
                self._allowed = min(RECOUNT, self._measure() // self._entry_bytes)
            if self._allowed <= 0:
                self._full = True
                log.warning("the image cache is full (%d MiB); what does not fit is read anew", self.room >> 20)
                return False
            self._allowed -= 1
            return True

    def _stop(self, why: str) -> None:
        with self._lock:
            if not self._full:
                log.warning("%s", why)
            self._full = True

    def _measure(self) -> int:
        """Bytes that are free, after entries of other sets have made way as far as needed for one recount."""
        others = self.folder.parent
        folders = sorted(others.iterdir(), key=_written) if others.is_dir() else []
        sizes = {folder: _bytes_in(folder) for folder in folders}
        free = self.room - sum(sizes.values())
        for folder, size in sizes.items():
            if free >= RECOUNT * self._entry_bytes:
                break
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)
                free += size
        return max(0, free)


def _stamp(path: str) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds of an image's file."""
    about = os.stat(path)  # noqa: PTH116  (asked once an image and epoch)
    return about.st_size, about.st_mtime_ns


def _written(folder: Path) -> float:
    """When a folder was last written to; 0 where another process has just removed it."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _bytes_in(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except OSError:
        return 0
