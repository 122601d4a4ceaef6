"""Write files atomically, and hash them."""

import hashlib
import logging
import lzma
import os
import pickle
import secrets
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

log = logging.getLogger(__name__)

UNFINISHED = ".unfinished"  # ending of temporary files, which are hidden
LETTERS = 50  # of a file's name in that of its temporary file, so that the name is never too long
# For tests: called at "open", "write", "sync", "flush", "rename" and "done" of every write, with the path of the file.
fail_point: Callable[[str, Path], None] | None = None
_cleaned: set[Path] = set()  # folders whose leftovers this process has removed

# What readers of JSON, NumPy, zip, gzip, Parquet, pickle and safetensors raise where the content of a file is damaged.
DAMAGED: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError),
    *(RuntimeError, MemoryError, SyntaxError, BufferError, struct.error, zlib.error, zipfile.BadZipFile, TokenError),
    *(lzma.LZMAError, pickle.PickleError),
)


def file_sha256(path: Path) -> str:
    """Hash the bytes of a file: SHA-256, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file in the same folder, flush it to disk, rename it to `path`.

    The first write into a folder removes the temporary files that processes left there when they were killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _cleaned:
        _cleaned.add(path.parent)
        remove_leftovers(path.parent)
    with replacing(path) as stream:
        stream.write(content)
        stream.flush()
        _reach("sync", path)
        os.fsync(stream.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file in the folder of `path` that becomes `path` after the block, and is removed if that fails.

    It is locked while it is written, so that `remove_leftovers` leaves it alone.
    """
    _reach("open", path)
    temporary, stream = _open_temporary(path)
    try:
        with stream:
            _reach("write", path)
            yield stream
            _reach("flush", path)
        _reach("rename", path)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _reach("done", path)


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Keep an empty temporary file beside `path` until the block ends; if the process is killed, it is a leftover."""
    temporary, stream = _open_temporary(path)
    with stream:
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _reach(step: str, path: Path) -> None:
    """Let a test fail here, or end the process."""
    if fail_point is not None:
        fail_point(step, path)


def _open_temporary(path: Path) -> tuple[Path, BinaryIO]:
    """Open and lock a new file; once more where it was removed as a leftover before it was locked."""
    for _ in range(3):
        temporary = path.with_name(f".{path.name[:LETTERS]}.{secrets.token_hex(4)}{UNFINISHED}")
        stream = temporary.open("xb")  # permissions follow the umask, unlike those of mkstemp
        _lock(stream.fileno(), wait=True)
        if temporary.exists():
            break
        stream.close()
    return temporary, stream


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in a folder, not below it, that no process writes any more."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(UNFINISHED)]
    except OSError:
        return
    for name in names:
        with suppress(OSError):  # it is written, or another process has removed it
            descriptor = os.open(folder / name, os.O_RDWR)
            try:
                if name.startswith(".") and _lock(descriptor, wait=False):
                    (folder / name).unlink()
            finally:
                os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed; return whether it is locked, which some file systems cannot."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold the lock of `path` against every other process and thread; wait for it where another one holds it.

    `waiting` is logged once if the lock is not free.

    The lock is an empty hidden file next to `path`, which stays. The system releases the lock of a process that ends,
    however it ends.

    Raises:
        OSError: the lock file cannot be written.
    """
    from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

    def acquire(lock: BaseFileLock) -> BaseFileLock:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting:
                log.warning(waiting)
            lock.acquire()
        return lock

    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.name}.lock")
    try:
        lock = acquire(FileLock(name))
    except NotImplementedError:  # a file system without locks: the existence of the file is the lock
        lock = acquire(SoftFileLock(name))
    try:
        yield
    finally:
        lock.release()
