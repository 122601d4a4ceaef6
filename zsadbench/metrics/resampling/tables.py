"""Tables of the pixels of one image, counted by the first bits of their keys, as arrays of their columns."""

import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 14  # of a key
BIN = np.dtype([("bin", np.uint16), ("normal", np.uint32), ("anomalous", np.uint32), ("weight", np.float32)])
BIN_FIELDS = ("bin", "normal", "anomalous", "weight")
IN_MEMORY = 16 << 20  # bytes of the columns that are kept in memory


def columns_of(tables: Iterable[NDArray[Any]], rows: int) -> dict[str, NDArray[Any]]:
    """Return the columns of tables, end to end, by field, (rows,) each.

    Large ones are read-only maps of unnamed temporary files. `rows` is the number of rows of all tables together.
    """
    if rows * BIN.itemsize <= IN_MEMORY:
        bins = np.concatenate([np.empty(0, BIN), *tables])
        return {field: np.ascontiguousarray(bins[field]) for field in BIN_FIELDS}
    files = {field: tempfile.TemporaryFile(prefix="zsadbench-counts-") for field in BIN_FIELDS}  # noqa: SIM115
    for table in tables:
        for field, file in files.items():
            file.write(table[field].tobytes())
    columns = {}
    for field, file in files.items():
        with file:  # a map stays when its file is closed
            file.flush()
            columns[field] = np.asarray(np.memmap(file, BIN[field], "r", shape=(rows,)))
    return columns
