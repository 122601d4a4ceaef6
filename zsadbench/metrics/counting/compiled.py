"""Compile kernels with numba: they run without the interpreter's lock, and machine code is cached on disk.

numba caches machine code next to the source, or in the user's cache folder if the source folder is read-only. If
neither can be written, the cache is a folder below `ZSADBENCH_CACHE`, or else a private folder of the user below the
system's temporary one. Files are replaced as a whole, so several processes may compile at the same time. Importing
this module imports numba, so kernels are imported only in the functions that call them.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

config: Any = numba.config

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return a kernel that is compiled at its first call."""
    kernel: Callable[P, R]
    try:
        kernel = _njit_cached(function)
    except RuntimeError:  # numba found no cache folder that it can write
        kernel = _compiled_with_other_cache(function)
    return kernel


def _compiled_with_other_cache(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with the first cache folder that can be written; without one, every process compiles again."""
    before = config.CACHE_DIR
    kernel: Callable[P, R] = numba.njit(nogil=True)(function)
    for folder in _cache_folders():
        config.CACHE_DIR = str(folder)
        try:
            kernel = _njit_cached(function)
            break
        except RuntimeError:
            continue
        finally:
            config.CACHE_DIR = before
    return kernel


def _njit_cached(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with a cache in which a damaged file counts as absent: numba would raise what its unpickling raises.

    Raises:
        RuntimeError: no cache folder can be written.
    """
    kernel: Any = numba.njit(cache=True, nogil=True)(function)
    cache, index = kernel._cache, kernel._cache._cache_file
    index._load_index = _or_default(index._load_index, dict)
    cache.load_overload = _or_default(cache.load_overload, lambda: None)
    return cast("Callable[P, R]", kernel)


def _or_default(read: Callable[..., Any], default: Callable[[], Any]) -> Callable[..., Any]:
    """Return a function that returns a default where `read` fails, for any reason."""

    def call(*arguments: Any) -> Any:
        try:
            return read(*arguments)
        except Exception:
            return default()

    return call


def _cache_folders() -> Iterator[Path]:
    if "ZSADBENCH_CACHE" in os.environ:
        yield Path(os.environ["ZSADBENCH_CACHE"], "kernels")
    private = Path(tempfile.gettempdir(), f"zsadbench-kernels-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    if _is_private(private):
        yield private


def _is_private(folder: Path) -> bool:
    """Whether only this user can write to a folder: code that another user could replace must never be loaded."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def _popcount(typing: Any, word: Any) -> Any:
    """Count the set bits of a 64-bit word with the processor's instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount: Callable[[np.uint64], np.uint64] = cast(Any, intrinsic(_popcount))
