"""How a kernel is compiled: without the interpreter's lock, and kept for the next process.

numba keeps machine code beside the source, or where that may not be written in the user's own cache;
where neither may be written, in `ZSADBENCH_CACHE`, then in a folder of the user's below the system's
temporary one. Files are replaced as a whole, so processes may compile at the same time. Importing this
module imports numba: kernels are imported in the functions that call them.
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
    """Compile a kernel when it is first called."""
    kept: Callable[P, R]
    try:
        kept = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it may write
        kept = _kept_elsewhere(function)
    return kept


def _kept_elsewhere(function: Callable[P, R]) -> Callable[P, R]:
    before = config.CACHE_DIR
    kept: Callable[P, R] = numba.njit(nogil=True)(function)  # every process compiles again, at the worst
    for folder in _folders():
        config.CACHE_DIR = str(folder)
        try:
            kept = numba.njit(cache=True, nogil=True)(function)
            break
        except RuntimeError:
            continue
        finally:
            config.CACHE_DIR = before
    return kept


def _folders() -> Iterator[Path]:
    if "ZSADBENCH_CACHE" in os.environ:
        yield Path(os.environ["ZSADBENCH_CACHE"], "kernels")
    private = Path(tempfile.gettempdir(), f"zsadbench-kernels-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    if _is_private(private):
        yield private


def _is_private(folder: Path) -> bool:
    """Whether a folder is ours alone: code that another user could write there must never be loaded."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _popcount(typing: Any, word: Any) -> Any:
    """The number of set bits of a 64-bit word, as the processor counts them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount: Callable[[np.uint64], np.uint64] = cast(Any, intrinsic(_popcount))
