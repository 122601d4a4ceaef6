"""Check how large the entries of a zip archive will be before one of them is inflated.

PyTorch stores tensors without compression, so an archive of weights that inflates to much more than its size on disk
is no archive of weights, and would fill the memory.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from zsadbench.errors import WeightsError

RATIO = 4  # bytes that may come of one byte on disk
SPARE = 64 << 20  # bytes that may come of any archive


def check_lengths(path: Path) -> None:
    """Check the sum of the lengths of all entries of an archive; a file that is no zip archive passes.

    Raises:
        WeightsError: the entries are much longer than the file.
        BadZipFile: the directory of the archive is damaged.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    size = path.stat().st_size
    if total > RATIO * size + SPARE:
        raise WeightsError(
            f"{path} is refused: its {size} bytes would inflate to {total}, and weights are stored without compression"
        )


def read_entry(archive: zipfile.ZipFile, name: str, at_most: int) -> bytes:
    """Read an entry, whose length is checked before it is inflated.

    Raises:
        WeightsError: it is longer than `at_most` bytes.
        KeyError: there is no such entry.
    """
    entry = archive.getinfo(name)
    if entry.file_size > at_most:
        raise WeightsError(
            f"{archive.filename} is refused: '{name}' has {entry.file_size} bytes where at most {at_most} are needed"
        )
    with archive.open(entry) as stream:
        return stream.read(entry.file_size)
