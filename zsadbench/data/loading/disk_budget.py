"""Room on disk for the entries of caches: folders side by side, one a set, with one bound for all of them together.

When the room is used up, entries of other folders make way, the one that was written to longest ago first; then
nothing more is kept.
"""

import logging
import mmap
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

RECOUNT = 256  # entries written before the room is measured again, for others write as well


class DiskBudget:
    """Who writes entries of `entry_bytes` into `folder` asks here first; `room` bytes are for it and its neighbours."""

    def __init__(self, folder: Path, entry_bytes: int, room: int, what: str) -> None:
        self.folder, self.entry_bytes, self.room, self.what = folder, entry_bytes, room, what
        self._lock = threading.Lock()
        self._allowed = 0  # entries that may be written before the room is measured
        self._under_way = 0  # entries that may be written and are not yet
        self._full = False

    def _take(self) -> bool:
        """Whether one entry more may be written."""
        with self._lock:
            if self._full:
                return False
            if self._allowed == 0:
                self._allowed = min(RECOUNT, self._measure() // self.entry_bytes - self._under_way)
            if self._allowed <= 0:
                self._full = True
                log.warning("the %s is full (%d MiB); what does not fit is made anew", self.what, self.room >> 20)
                return False
            self._allowed -= 1
            self._under_way += 1
            return True

    def write(self, entry: Path, content: Callable[[], Iterable[bytes | memoryview]], what: str) -> None:
        """Write an entry beside its place and move it there, if there is room; what cannot be written is not kept."""
        if not self._take():
            return
        temporary = entry.with_name(f".{entry.name}.{secrets.token_hex(4)}")
        try:
            parts = content()
            entry.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as stream:  # not flushed to disk, unlike results: the checksum tells
                stream.writelines(parts)
            temporary.replace(entry)
        except FileNotFoundError:
            log.debug("'%s' has just been removed", self.folder)  # by a process that needs the room; or the image has
        except OSError as failure:
            with suppress(OSError):
                temporary.unlink()
            self.close(f"{what} cannot be kept in '{self.folder}': {failure}")
        finally:
            with self._lock:
                self._under_way -= 1

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


def mapped(entry: Path) -> mmap.mmap | None:
    """The content of an entry, memory-mapped; None where there is none, or an empty one, which cannot be mapped."""
    try:
        with entry.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None


def file_stamp(path: str) -> tuple[int, int]:
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
