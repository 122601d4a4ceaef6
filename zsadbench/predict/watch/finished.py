"""When a file that another program writes is finished.

A file is finished when its size and time have not changed for a while (`settle`) **and** its content is complete by
its format: a PNG has all its chunks, a JPEG its end marker, a GIF its trailer, a WebP and a BMP the length that their
header states. A file that is not complete, or that could not be read, is waited for `PATIENCE` times as long, and then
passed on all the same: if it cannot be read, that is its failure, until it changes again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

PATIENCE = 30  # times `settle`
TAIL = 1 << 16  # bytes at the end of a JPEG in which its end marker is looked for first
PNG = b"\x89PNG\r\n\x1a\n"


class Stamp(NamedTuple):
    """Size in bytes and time of the last change in nanoseconds."""

    size: int
    changed: int


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a regular file; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  (Path.stat raises the same; a name may be too long)
    except (OSError, ValueError):
        return None
    return Stamp(status.st_size, status.st_mtime_ns) if os.path.isfile(path) else None  # noqa: PTH113


def is_complete(path: Path) -> bool:
    """Whether a file holds all that its format says; of other formats, whether it holds anything."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(16)
            ends = next((ends for begins, ends in FORMATS if begins.match(head)), None)
            return size > 0 if ends is None else ends(stream, size)
    except OSError:
        return False


def _png_ends(stream: BinaryIO, size: int) -> bool:
    """Whether the chunks of a PNG lead to its last one within the file."""
    place = len(PNG)
    while place + 12 <= size:
        stream.seek(place)
        head = stream.read(8)
        place += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return place <= size
    return False


def _jpeg_ends(stream: BinaryIO, size: int) -> bool:
    """Whether a JPEG has an end marker: near its end, or anywhere, as programs append to photographs."""
    stream.seek(max(0, size - TAIL))
    if b"\xff\xd9" in stream.read():
        return True
    stream.seek(0)
    return b"\xff\xd9" in stream.read()


def _gif_ends(stream: BinaryIO, size: int) -> bool:
    stream.seek(size - 1)
    return stream.read(1) == b"\x3b"


def _length_at(place: int, beside: int) -> Callable[[BinaryIO, int], bool]:
    """A check of a format whose header states its length, without `beside` bytes, at a place."""

    def ends(stream: BinaryIO, size: int) -> bool:
        stream.seek(place)
        return size >= beside + int.from_bytes(stream.read(4), "little")

    return ends


FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO, int], bool]], ...] = (
    (re.compile(re.escape(PNG)), _png_ends),
    (re.compile(rb"\xff\xd8\xff"), _jpeg_ends),
    (re.compile(rb"GIF8[79]a"), _gif_ends),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _length_at(4, 8)),
    (re.compile(rb"BM"), _length_at(2, 0)),
)


class Finished(NamedTuple):
    """A file that is finished, and whether it was waited for as long as for one that cannot be read."""

    stamp: Stamp
    patient: bool


class Waiting:
    """Files that may still be written, and since when they have not changed.

    Args:
        settle: seconds without a change after which a complete file is finished.
        clock: seconds that never go back.
    """

    def __init__(self, settle: float, clock: Callable[[], float]) -> None:
        self.settle, self.clock = settle, clock
        self.since: dict[Path, tuple[Stamp, float]] = {}
        self.doubted: set[Path] = set()

    def add(self, paths: Iterable[Path]) -> None:
        """Wait for files; those that are known keep their time."""
        for path in paths:
            if path not in self.since:
                stamp = stamp_of(path)
                if stamp is not None:
                    self.since[path] = stamp, self.clock()

    def doubt(self, path: Path, stamp: Stamp) -> None:
        """Wait longer for a file that was finished and could not be read."""
        self.since[path] = stamp, self.clock()
        self.doubted.add(path)

    def finished(self) -> dict[Path, Finished]:
        """Return the files that are finished, and stop waiting for them and for those that are gone."""
        ready: dict[Path, Finished] = {}
        now = self.clock()
        for path, (known, since) in list(self.since.items()):
            stamp = stamp_of(path)
            if stamp is None:
                del self.since[path]
                self.doubted.discard(path)
            elif stamp != known:
                self.since[path] = stamp, now
                self.doubted.discard(path)
            elif now - since >= PATIENCE * self.settle:
                ready[path] = Finished(stamp, True)
            elif now - since >= self.settle and path not in self.doubted and is_complete(path):
                ready[path] = Finished(stamp, False)
        for path in ready:
            del self.since[path]
            self.doubted.discard(path)
        return ready
