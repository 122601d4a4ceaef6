"""Hashes of the bytes of files, and the stamps by which a later change is seen; cached, one cache file per folder.

The hash is BLAKE3 (https://github.com/BLAKE3-team/BLAKE3), 256 bits. A stamp is the size of a file, the times of its
last modification and of its last change of state (on Windows: of its creation), and its inode. While a stamp is the
same, the hash is taken from the cache. A program can restore the time of modification, not that of the change of state.
"""

import hashlib
import io
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from zsadbench.clip import cache_folder
from zsadbench.errors import DataError
from zsadbench.files import DAMAGED, locked, write_atomically

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int, int]  # size in bytes, times of modification and of change in ns, inode
Stamps = NDArray[np.uint64]  # (n, 4)
Digests = NDArray[np.uint8]  # (n, 32)
GONE: Stamp = (0, 0, 0, 0)
NEW_HASH: Any = blake3  # its stub lacks what `hashlib.file_digest` wants, not the class
UNREADABLE = bytes(32)  # in place of the hash of a file that cannot be read

VERSION = 1  # of the cache file
WORD = 2**64 - 1
UNSETTLED = 100_000_000  # ns: a file that changed later than this before it is hashed may change with the same stamp
CHUNK = 512  # files per task of reading stamps
TASK = 16  # files per task of hashing
FIRST_REPORT, NEXT_REPORT = 3.0, 10.0  # seconds
GIB = 2**30


@dataclass(frozen=True, eq=False)
class FileHashes:
    """The hashes of some files, and their stamps when they were hashed.

    Attributes:
        rows: path → row of the arrays.
        stamps: uint64 (n, 4), see `Stamp`.
        digests: uint8 (n, 32); zeros for a file that cannot be read.
    """

    rows: Mapping[str, int]
    stamps: Stamps
    digests: Digests

    def digest(self, path: str) -> str:
        """The hash of a file, hexadecimal; empty for an empty path and for a file that cannot be read.

        Raises:
            KeyError: the file was not hashed.
        """
        content = self.digests[self.rows[path]].tobytes() if path else UNREADABLE
        return "" if content == UNREADABLE else content.hex()

    def size(self, path: str) -> int:
        """The size of a file in bytes.

        Raises:
            KeyError: the file was not hashed.
        """
        return int(self.stamps[self.rows[path], 0])

    @contextmanager
    def unchanged(self, *paths: str) -> Iterator[None]:
        """Check that files, while the block reads them, have the content that was hashed.

        A file whose stamp alone has changed, as `touch` changes it, is hashed again.

        Raises:
            DataError: the content of a file has changed; its path is named. This hides an error of the block, which
                may follow from the change.
        """
        before = [_stamp(path) for path in paths]
        try:
            yield
        except DataError as failure:
            self._check(paths, before, failure)
            raise
        self._check(paths, before)

    def _check(self, paths: Sequence[str], before: Sequence[Stamp], cause: DataError | None = None) -> None:
        """Compare the stamps before and after files were read with those that were hashed.

        Raises:
            DataError: as `unchanged`.
        """
        for path, first in zip(paths, before, strict=True):
            row = self.rows[path]
            hashed, last = tuple(self.stamps[row].tolist()), _stamp(path)
            if first == last == hashed:
                continue
            if first != last or hash_file(path) != (last, self.digests[row].tobytes()):
                raise self._changed(path) from cause

    def _changed(self, path: str) -> DataError:
        stamps = self.stamps.tolist()
        others = sum(_stamp(other) != tuple(stamps[row]) for other, row in self.rows.items() if other != path)
        more = f", and {others} more files of this set have another size or time" if others else ""
        return DataError(
            f"changed during the run: '{path}' is no longer the file that was hashed when the run was planned{more}. "
            "Nothing is recorded for its class; start the run again when the files stay as they are"
        )


def hash_files(paths: Iterable[str], folder: str | Path) -> FileHashes:
    """Hash files by several threads; hashes of files with the same stamp come from the cache.

    Progress is logged when it takes longer than a few seconds. A file that cannot be read has no hash and does not
    raise. A file that changed just before it was hashed is hashed again next time.

    Args:
        paths: the files; empty paths are ignored.
        folder: the folder of the files, which names the cache file.

    Raises:
        DataError: a file does not exist, or changes while it is read.
    """
    unique = sorted({path for path in paths if path})
    rows = {path: row for row, path in enumerate(unique)}
    cache, started = _Cache(Path(os.path.abspath(folder))), time.time_ns()  # noqa: PTH100  (links are not followed)
    with ThreadPoolExecutor(thread_name_prefix="zsadbench-hash-bytes") as pool:
        stamps = _stamps(pool, unique)
        digests, known = cache.find(unique, stamps)
        todo = np.flatnonzero(~known)
        try:
            progress = _Progress(str(folder), stamps[todo, 0])
            tasks = [[unique[row] for row in todo[start : start + TASK]] for start in range(0, len(todo), TASK)]
            for names, hashed in zip(tasks, pool.map(lambda names: list(map(hash_file, names)), tasks), strict=True):
                of_task = [rows[name] for name in names]
                stamps[of_task] = np.array([stamp for stamp, _ in hashed], dtype=np.uint64)
                digests[of_task] = [np.frombuffer(digest, np.uint8) for _, digest in hashed]
                progress.step(len(names))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if len(todo):
        settled = (stamps[:, 2] + np.uint64(UNSETTLED) < started) & digests.any(axis=1)
        cache.write(unique, stamps, digests, settled)
    return FileHashes(rows, stamps, digests)


def hash_file(path: str) -> tuple[Stamp, bytes]:
    """The stamp of a file and the hash of its bytes, 32 bytes; zeros if it cannot be read or is no regular file.

    Raises:
        DataError: it does not exist, or changes while it is read.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  (called once per file)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
            return _stamp_of(status), UNREADABLE
        with open(path, "rb") as stream:  # noqa: PTH123
            before = _stamp_of(os.fstat(stream.fileno()))
            digest: bytes = hashlib.file_digest(stream, NEW_HASH).digest()
            after = _stamp_of(os.fstat(stream.fileno()))
    except FileNotFoundError as failure:
        raise DataError(f"'{path}' cannot be read: {failure.strerror}") from failure
    except OSError:
        return _stamp(path), UNREADABLE
    if before != after:
        raise DataError(f"'{path}' changes while it is read; start again when it is written completely")
    return after, digest


def _stamp(path: str) -> Stamp:
    """The stamp of a file; `GONE` if there is none."""
    try:
        return _stamp_of(os.stat(path))  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
    except OSError:
        return GONE


def _stamp_of(status: os.stat_result) -> Stamp:
    size, modified, changed, inode = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    return size & WORD, modified & WORD, changed & WORD, inode & WORD


def _stamps(pool: ThreadPoolExecutor, paths: Sequence[str]) -> Stamps:
    """The stamps of all files, read by several threads, as a server answers several at a time."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    found = [stamp for stamps in pool.map(lambda chunk: list(map(_stamp, chunk)), chunks) for stamp in stamps]
    return np.array(found, dtype=np.uint64).reshape(-1, 4)


class _Progress:
    """Logs how far the hashing is: after some seconds, and from then on in longer steps."""

    def __init__(self, folder: str, sizes: NDArray[np.uint64]) -> None:
        self.folder, self.sizes, self.done = folder, sizes, 0
        self.start = time.perf_counter()
        self.next = self.start + FIRST_REPORT

    def step(self, files: int) -> None:
        """Count some files."""
        self.done += files
        now = time.perf_counter()
        if now < self.next:
            return
        self.next = now + NEXT_REPORT
        done, total = float(self.sizes[: self.done].sum()), float(self.sizes.sum())
        left = (now - self.start) * (total - done) / max(done, 1.0)
        log.warning(
            "hashing the files of '%s', once for this copy: %d of %d files, %.1f of %.1f GiB, about %.0f s left",
            *(self.folder, self.done, len(self.sizes), done / GIB, total / GIB, left),
        )


class _Cache:
    """The cache file of one folder: names of files below it, their stamps and their hashes."""

    def __init__(self, folder: Path) -> None:
        self.prefix = f"{folder}{os.sep}"
        key = hashlib.sha256(os.fsencode(f"{VERSION} {folder}")).hexdigest()[:32]
        self.file = cache_folder() / "files" / f"{key}.npz"
        self.rows, self.stamps, self.digests = self._read()

    def find(self, paths: Sequence[str], stamps: Stamps) -> tuple[Digests, NDArray[np.bool_]]:
        """The hashes of files, uint8 (n, 32), and for which of them the cache has one under the same stamp."""
        rows = np.array([self.rows.get(self._name(path), -1) for path in paths], dtype=np.int64)
        known = rows >= 0
        known[known] = (self.stamps[rows[known]] == stamps[known]).all(axis=1)
        digests = np.zeros((len(paths), len(UNREADABLE)), dtype=np.uint8)
        digests[known] = self.digests[rows[known]]
        return digests, known

    def write(self, paths: Sequence[str], stamps: Stamps, digests: Digests, wanted: NDArray[np.bool_]) -> None:
        """Write the hashes of the `wanted` files, and those in the cache of other files that still exist.

        The cache file is read again first, as another process may have added to it.
        """
        try:
            with locked(self.file):
                self.rows, self.stamps, self.digests = self._read()
                write_atomically(self.file, self._content(paths, stamps, digests, wanted))
        except OSError as failure:
            log.info("the hashes of the files in '%s' are not kept: %s", self.prefix, failure)

    def _content(self, paths: Sequence[str], stamps: Stamps, digests: Digests, wanted: NDArray[np.bool_]) -> bytes:
        new = [self._name(path) for path in paths]
        here = set(new)
        kept = [name for name in self.rows if name not in here and os.path.lexists(self._path(name))]
        kept_rows = np.array([self.rows[name] for name in kept], dtype=np.int64)
        names = [name for name, chosen in zip(new, wanted, strict=True) if chosen] + kept
        content: dict[str, Any] = {
            "names": np.frombuffer(os.fsencode("\0".join(names)), dtype=np.uint8),
            "stamps": np.concatenate([stamps[wanted], self.stamps[kept_rows]]),
            "digests": np.concatenate([digests[wanted], self.digests[kept_rows]]),
        }
        buffer = io.BytesIO()
        np.savez(buffer, **content)
        return buffer.getvalue()

    def _name(self, path: str) -> str:
        name = path if path.startswith(self.prefix) else os.path.abspath(path)  # noqa: PTH100
        return name.removeprefix(self.prefix)

    def _path(self, name: str) -> str:
        return name if os.path.isabs(name) else f"{self.prefix}{name}"  # noqa: PTH117  (called once per file)

    def _read(self) -> tuple[dict[str, int], Stamps, Digests]:
        """The content of the cache file; empty if there is none, or if it is broken."""
        try:
            with self.file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                names, stamps, digests = (archive[name] for name in ("names", "stamps", "digests"))
            rows = {name: row for row, name in enumerate(os.fsdecode(names.tobytes()).split("\0")) if name}
            shapes = (stamps.shape, stamps.dtype, digests.shape, digests.dtype)
            if shapes == ((len(rows), 4), np.uint64, (len(rows), len(UNREADABLE)), np.uint8):
                return rows, stamps, digests
            log.info("'%s' is broken and is written again", self.file)
        except FileNotFoundError:
            pass
        except DAMAGED as failure:
            log.info("'%s' is broken and is written again: %s", self.file, failure)
        return {}, np.zeros((0, 4), np.uint64), np.zeros((0, len(UNREADABLE)), np.uint8)
