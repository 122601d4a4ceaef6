"""A budget of disk space that all folders of one cache share.

A cache has one folder per data set, side by side. When the budget is used up, folders of other data sets are removed,
starting with the one written to least recently; after that, nothing more is cached.
"""

import logging
import mmap
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from zsadbench.files import remove_leftovers, replacing

log = logging.getLogger(__name__)

RECOUNT = 256  # entries written between two measurements of the disk space; other processes write as well


class DiskBudget:
    """Writes entries of a fixed size into a cache folder, as long as the budget allows it.

    Args:
        folder: the folder of this data set's entries.
        entry_bytes: the size of one entry.
        budget_bytes: the space for this folder and the folders next to it.
        what: the name of the cache, for messages.
    """

    def __init__(self, folder: Path, entry_bytes: int, budget_bytes: int, what: str) -> None:
        self.folder, self.entry_bytes, self.budget_bytes, self.what = folder, entry_bytes, budget_bytes, what
        self._lock = threading.Lock()
        self._allowed = 0  # entries that may be written before the space is measured again
        self._in_progress = 0  # entries that were allowed and are not written yet
        self._full = False
        self._cleaned = False  # whether temporary files of killed processes were removed

    def _reserve(self) -> bool:
        """Reserve the space of one entry; False if the budget is used up."""
        with self._lock:
            if self._full:
                return False
            if self._allowed == 0:
                self._allowed = min(RECOUNT, self._free_bytes_or_0() // self.entry_bytes - self._in_progress)
                if self._full:
                    return False
            if self._allowed <= 0:
                self._full = True
                used = self.budget_bytes >> 20
                log.warning("the %s is full (%d MiB); what does not fit is computed each time", self.what, used)
                return False
            self._allowed -= 1
            self._in_progress += 1
            return True

    def write(self, entry: Path, content: Callable[[], Iterable[bytes | memoryview]], what: str) -> None:
        """Write an entry atomically if the budget allows it; after a failure to write, nothing more is written."""
        if not self._reserve():
            return
        try:
            if not self._make_folder(entry.parent, what):
                return
            parts = content()
            with replacing(entry) as stream:  # not flushed to disk, unlike results: entries have a checksum
                stream.writelines(parts)
        except FileNotFoundError:  # another process has removed the folder to free space, or the image no longer exists
            log.debug("'%s' has just been removed", self.folder)
        except OSError as failure:
            self.close(f"{what} cannot be kept in '{self.folder}': {failure}")
        finally:
            with self._lock:
                self._in_progress -= 1

    def close(self, reason: str) -> None:
        """Stop writing; the first call logs the reason as a warning."""
        with self._lock:
            self._close(reason)

    def _close(self, reason: str) -> None:
        """As `close`, where the lock is held."""
        if not self._full:
            log.warning("%s", reason)
        self._full = True

    def _make_folder(self, folder: Path, what: str) -> bool:
        """Make a folder for entries; False, and nothing more is written, where that is impossible."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            self.close(f"{what} cannot be kept in '{folder}': {failure.strerror or failure}")
            return False
        return True

    def _free_bytes_or_0(self) -> int:
        """Measure the free space; 0, and nothing more is written, where the folders cannot be listed."""
        try:
            return self._free_bytes()
        except OSError as failure:
            self._close(f"the {self.what} in '{self.folder.parent}' cannot be used: {failure.strerror or failure}")
            return 0

    def _free_bytes(self) -> int:
        """Measure the free space; removes folders of other data sets if it is less than one recount needs."""
        cache = self.folder.parent
        folders = sorted(cache.iterdir(), key=_last_written) if cache.is_dir() else []
        if not self._cleaned:
            for folder in folders:
                remove_leftovers(folder)
        self._cleaned = True
        sizes = {folder: _bytes_in(folder) for folder in folders}
        free = self.budget_bytes - sum(sizes.values())
        for folder, size in sizes.items():
            if free >= RECOUNT * self.entry_bytes:
                break
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)
                free += size
        return max(0, free)


def mapped(entry: Path) -> mmap.mmap | None:
    """Memory-map an entry; None if it does not exist or is empty."""
    try:
        with entry.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None


def file_stamp(path: str) -> tuple[int, int]:
    """Size in bytes and modification time in nanoseconds of a file; entries made from an older file are detected."""
    status = os.stat(path)  # noqa: PTH116  (called once per image and epoch)
    return status.st_size, status.st_mtime_ns


def _last_written(folder: Path) -> float:
    """The modification time of a folder; 0 if another process has just removed it."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _bytes_in(folder: Path) -> int:
    """The size of the files in a folder; 0 if another process has just removed it."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except OSError:
        return 0
