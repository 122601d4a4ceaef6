"""Room on disk for the entries of caches: folders side by side, one a set, with one bound for all of them together.

When the room is used up, entries of other folders make way, the one that was written to longest ago first; then
nothing more is kept.
"""

import logging
import os
import shutil
import threading
from pathlib import Path

log = logging.getLogger(__name__)

RECOUNT = 256  # entries written before the room is measured again, for others write as well


class Room:
    """Who writes entries of `entry_bytes` into `folder` asks here first; `room` bytes are for it and its neighbours."""

    def __init__(self, folder: Path, entry_bytes: int, room: int, what: str) -> None:
        self.folder, self.entry_bytes, self.room, self.what = folder, entry_bytes, room, what
        self._lock = threading.Lock()
        self._allowed = 0  # entries that may be written before the room is measured
        self._full = False

    def take(self) -> bool:
        """Whether one entry more may be written."""
        with self._lock:
            if self._full:
                return False
            if self._allowed == 0:
                self._allowed = min(RECOUNT, self._measure() // self.entry_bytes)
            if self._allowed <= 0:
                self._full = True
                log.warning("the %s is full (%d MiB); what does not fit is made anew", self.what, self.room >> 20)
                return False
            self._allowed -= 1
            return True

    def close(self, why: str) -> None:
        """Let nothing more be written, and say why once."""
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
            if free >= RECOUNT * self.entry_bytes:
                break
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)
                free += size
        return max(0, free)


def stamp(path: str) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds of a file: an entry made of another one is told by it."""
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
