"""Keep arrays in memory up to a budget, and further ones in an unnamed temporary file."""

import tempfile
import weakref
from typing import IO

import numpy as np

from zsadbench.metrics.counting.arrays import Floats

BUDGET = 2 << 30  # bytes


class SpillBuffer:
    """Keeps arrays; once `budget` bytes are in memory, further arrays go to a file and are returned as memory maps.

    The file is created where `tempfile` does it (`TMPDIR`). It is unlinked at once, or removed when closed on systems
    that cannot unlink an open file, so no file remains.
    """

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
