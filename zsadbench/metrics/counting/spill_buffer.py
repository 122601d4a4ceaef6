"""Keep arrays in memory up to a budget, and further ones in an unnamed temporary file.

The file is created where `tempfile` does it (`TMPDIR`). It is unlinked at once, or removed when closed on systems that
cannot unlink an open file, so no file remains.
"""

import tempfile
import weakref
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from zsadbench.metrics.counting.arrays import Floats

BUDGET = 2 << 30  # bytes of large arrays
SMALL = 4 << 20  # … of many small ones


class SpillBuffer:
    """Keeps large arrays; once `budget` bytes are in memory, further ones go to a file and are memory maps of it."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._bytes_in_memory = 0
        self._file: IO[bytes] | None = None

    def put(self, array: Floats) -> Floats:
        """Return the same one-dimensional array, kept here; the caller must not write to it any more."""
        if self._bytes_in_memory + array.nbytes <= self.budget or not array.size:
            self._bytes_in_memory += array.nbytes
            return array
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="zsadbench-scores-")  # noqa: SIM115 - closed with the buffer
            weakref.finalize(self, self._file.close)
        start = self._file.seek(0, 2)
        self._file.write(array.tobytes())
        self._file.flush()
        return np.asarray(np.memmap(self._file, array.dtype, "c", start, array.shape))


class SmallArrays:
    """Keeps many small arrays end to end; whenever more than `budget` bytes are in memory, they go to a file.

    An array is read back by the position of its first byte. It is read and not mapped, so that it takes memory only
    while it is used.
    """

    def __init__(self, budget: int | None = None) -> None:
        self.budget = SMALL if budget is None else budget
        self._held: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._in_memory = self._in_file = 0  # bytes
        self._file: IO[bytes] | None = None

    def put(self, array: NDArray[Any]) -> int:
        """Keep a copy of an array and return its position."""
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        position = self._in_file + self._in_memory
        if self._in_memory + content.size > self.budget:
            self._write(self._held[: self._in_memory])
            self._in_memory = 0
            if content.size > self.budget:
                self._write(content)
                return position
        if self._in_memory + content.size > self._held.size:
            longer = np.empty(min(self.budget, 2 * (self._in_memory + content.size)), np.uint8)
            longer[: self._in_memory] = self._held[: self._in_memory]
            self._held = longer
        self._held[self._in_memory : self._in_memory + content.size] = content
        self._in_memory += content.size
        return position

    def get(self, position: int, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return `count` values of a type that begin at a position, (count,); they may belong to several arrays.

        Raises:
            OSError: the file cannot be read.
        """
        values = np.empty(count, dtype)
        content = values.view(np.uint8)
        from_file = min(max(self._in_file - position, 0), content.size)
        if from_file and self._file is not None:
            self._file.seek(position)
            if self._file.readinto(content[:from_file].data) != from_file:  # type: ignore[attr-defined]
                raise OSError("a temporary file is shorter than what was written to it")
        start = max(position - self._in_file, 0)
        content[from_file:] = self._held[start : start + content.size - from_file]
        return values

    def _write(self, content: NDArray[np.uint8]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="zsadbench-counts-")  # noqa: SIM115 - closed with the buffer
            weakref.finalize(self, self._file.close)
        self._file.seek(0, 2)
        self._file.write(content.data)
        self._in_file += content.size
