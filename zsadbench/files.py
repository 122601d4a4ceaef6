"""Write files atomically, and hash them."""

import hashlib
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


def file_sha256(path: Path) -> str:
    """Hash the bytes of a file: SHA-256, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file in the same folder, flush it to disk, rename it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:  # permissions follow the umask, unlike those of mkstemp
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
