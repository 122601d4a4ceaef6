"""Sidecar files of a record: details beyond its metrics. None of them is needed to read the record.

    <id>.details.json.gz   metrics of parts, curves and confidence intervals per class
    <id>.regions.pq        Parquet, one row per region of the ground truth: its position, and how much of it is found
    <id>.spread.npz        pixel counts per image, for confidence intervals and paired comparisons
    <id>.pooled.npz        pixel counts per class; only if a metric over all classes was requested

Their extensions differ from `.json` and `.parquet`, so that `*.json` matches only records. Like the record, they
contain the classes that are finished so far. They are written atomically, before the record. A file that cannot be
read is logged and ignored.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import mmap
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.errors import ZsadError
from zsadbench.files import DAMAGED, write_atomically
from zsadbench.records.schemas import check_schema
from zsadbench.records.tables import check_owner, read_table, table_bytes

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SCHEMA = 1
DETAILS, REGIONS, SPREAD, POOLED = ".details.json.gz", ".regions.pq", ".spread.npz", ".pooled.npz"
IDENTITY = "identity"  # the member of an .npz file with the identity of the record
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, ZsadError)
LONGEST_DETAILS = 256 << 20  # bytes, far more than details need

Arrays = dict[str, NDArray[Any]]


@dataclass
class Sidecars:
    """The content of the sidecar files of one record.

    Attributes:
        identity: the identity of the record.
        area_quartiles: the quartiles of the areas of all regions, in pixels; None if there are no regions.
        details: class → content of the details file.
        regions: one row per region of the ground truth, see `read_regions`.
        spread: class → state of `BootstrapCounts`.
        pooled: class → state of a streaming `PixelMetrics`.
    """

    identity: str
    area_quartiles: list[float] | None = None
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    regions: pd.DataFrame | None = None
    spread: dict[str, Arrays] = field(default_factory=dict)
    pooled: dict[str, Arrays] = field(default_factory=dict)

    def write(self, record: Path, new: str) -> None:
        """Write all sidecar files of the record at the path `record`.

        Only the details of the class `new` are validated; those of other classes were validated before.

        Raises:
            ZsadError: the details of the new class are invalid.
        """
        content = {
            "schema": SCHEMA,
            "identity": self.identity,
            "classes": self.details,
            "area_edges": self.area_quartiles,
        }
        check_schema({**content, "classes": {new: self.details[new]}}, "details")
        write_arrays(record.with_suffix(SPREAD), self.spread, self.identity)
        if self.pooled:
            write_arrays(record.with_suffix(POOLED), self.pooled, self.identity)
        if self.regions is not None:
            write_atomically(record.with_suffix(REGIONS), table_bytes(self.regions, self.identity))
        text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
        write_atomically(record.with_suffix(DETAILS), gzip.compress(text.encode(), mtime=0))


def read_sidecars(record: Path, identity: str) -> Sidecars:
    """Read the sidecar files of a record; empty if there are none or they cannot be read."""
    content = read_details(record)
    if content is None:
        return Sidecars(identity)
    spread, pooled = (read_arrays(record.with_suffix(suffix), record) or {} for suffix in (SPREAD, POOLED))
    return Sidecars(identity, content["area_edges"], content["classes"], read_regions(record), spread, pooled)


def read_details(record: Path) -> dict[str, Any] | None:
    """Read the details of a record: the key `classes` holds `parts`, `curves` and `intervals` of each class.

    Returns:
        The content of the file; None if there is none. If the file cannot be read or belongs to another record, a
        warning is logged and None is returned.
    """
    path = record.with_suffix(DETAILS)
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(_inflated(path))
        check_schema(content, "details")
        if content["identity"][:16] != record.stem:
            raise ZsadError(f"they are those of the record {content['identity'][:16]}")
    except UNREADABLE as failure:
        log.warning("no readable details in '%s': %s", path, failure)
        return None
    return content


def _inflated(path: Path) -> bytes:
    """Return the content of a compressed details file.

    Raises:
        ZsadError: it is longer than any details.
    """
    with gzip.open(path) as stream:
        content = stream.read(LONGEST_DETAILS + 1)
    if len(content) > LONGEST_DETAILS:
        raise ZsadError(f"they inflate to more than {LONGEST_DETAILS >> 20} MiB")
    return content


def _check_inflated(path: Path) -> None:
    """Check that the arrays of a file will fit into memory, before one of them is inflated.

    Raises:
        ZsadError: they need more than half of the memory of this computer.
    """
    with zipfile.ZipFile(path) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 33
    if total > memory // 2:
        raise ZsadError(f"they inflate to {total >> 20} MiB, more than half of the memory")


def read_regions(record: Path) -> pd.DataFrame | None:
    """Read the regions of the ground truth of a record; None if there are none or the file cannot be read.

    Returns:
        A frame with one row per region and the columns `path`, `class`, `defect`, `view`; `area` in pixels;
        `area_share`, as a fraction of the image; `border`, the pixels between the region and the nearest border of the
        image; `overlap@RATE`, the fraction of the region that is found at this false positive rate.
    """
    return read_table(record.with_suffix(REGIONS), record, texts=("path", "class"), numbers=("area",))


def read_spread(record: Path) -> dict[str, Arrays] | None:
    """Read class → state for `BootstrapCounts.from_state`; None if there is no file or it cannot be read."""
    return read_arrays(record.with_suffix(SPREAD), record)


def write_arrays(path: Path, arrays: Mapping[str, Mapping[str, NDArray[Any]]], identity: str = "") -> None:
    """Write the arrays of each class to a compressed .npz file, with keys `class/name`, and the record's identity."""
    buffer = io.BytesIO()
    by_key: dict[str, Any] = {
        f"{class_name}/{name}": array for class_name, by_name in arrays.items() for name, array in by_name.items()
    }
    by_key[IDENTITY] = np.array(identity)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in by_key.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
            _release(array)
    write_atomically(path, buffer.getvalue())


def _release(array: NDArray[Any]) -> None:
    """Let go of the memory of an array that is a read-only map of a file; it is read again when it is needed."""
    pages = array.base.base if isinstance(array.base, np.memmap) else None
    if isinstance(pages, mmap.mmap) and not array.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def read_arrays(path: Path, record: Path | None = None) -> dict[str, Arrays] | None:
    """Read class → name → array; None if there is no file.

    If it cannot be read, or belongs to another record than the one at the path `record`, a warning is logged and None
    is returned.
    """
    if not path.is_file():
        return None
    arrays: dict[str, Arrays] = {}
    try:
        _check_inflated(path)
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                class_name, separator, name = key.rpartition("/")
                if separator:
                    arrays.setdefault(class_name, {})[name] = archive[key]
                elif key == IDENTITY and record is not None:
                    check_owner(str(archive[key]), record)
    except UNREADABLE as failure:
        log.warning("no readable arrays in '%s': %s", path, failure)
        return None
    return arrays
