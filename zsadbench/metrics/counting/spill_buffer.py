"""Where scores are kept: in memory up to a budget, then in a temporary file that nobody else sees."""

import tempfile
import weakref
from typing import IO

import numpy as np

from zsadbench.metrics.counting.arguments import Floats

BUDGET = 2 << 30  # bytes


class SpillBuffer:
    """Keeps arrays; what is put on it after the `budget`, in bytes, comes back as a memory map of a file.

    The file is unlinked as soon as it is made, or removed when closed where the system cannot do that, so
    nothing is left behind; it lies where `tempfile` puts it (`TMPDIR`).
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._held = 0
        self._file: IO[bytes] | None = None

    def put(self, array: Floats) -> Floats:
        """The same one-dimensional array, kept; the shelf may hold it, so it must not be written to any more."""
        if self._held + array.nbytes <= self.budget or not array.size:
            self._held += array.nbytes
            return array
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="zsadbench-scores-")  # noqa: SIM115 - closed with the shelf
            weakref.finalize(self, self._file.close)
        start = self._file.seek(0, 2)
        self._file.write(array.tobytes())
        self._file.flush()
        return np.asarray(np.memmap(self._file, array.dtype, "c", start, array.shape))
