"""The files beside a record that say more of it than its numbers; none of them is needed to read the record.

    <id>.details.json.gz   parts, curves and intervals by class
    <id>.regions.pq        one row a region of the ground truth: where it is, and how much of it is found; Parquet
    <id>.spread.npz        counts of pixels image by image, from which intervals and paired comparisons are drawn
    <id>.pooled.npz        counts of pixels class by class; only where a metric over all classes was asked for

Their endings are others than those of a record (`.json`, `.parquet`), so that `*.json` finds records alone.

They hold the classes finished so far, like the record, appear whole or not at all, and are written before it. One
that cannot be read is reported by name and passed over: what it held is missing then, and nothing else.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.errors import ZsadError
from zsadbench.files import write_atomically
from zsadbench.records.schemas import check_schema

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SCHEMA = 1
DETAILS, REGIONS, SPREAD, POOLED = ".details.json.gz", ".regions.pq", ".spread.npz", ".pooled.npz"
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, ZsadError)

Arrays = dict[str, NDArray[Any]]


@dataclass
class Sidecars:
    """What lies beside one record, by class; `area_quartiles` divide regions by their area, None where there are none.

    `spread` are states of `BootstrapCounts`, `pooled` those of streams of `PixelMetrics`.
    """

    identity: str
    area_quartiles: list[float] | None = None
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    regions: pd.DataFrame | None = None
    spread: dict[str, Arrays] = field(default_factory=dict)
    pooled: dict[str, Arrays] = field(default_factory=dict)

    def write(self, record: Path, new: str) -> None:
        """Write all of it beside a record; `new` is the class that was added, the others were read or written before.

        Raises:
            ZsadError: the details of the new class are not valid under the shipped schema.
        """
        content = {
            "schema": SCHEMA,
            "identity": self.identity,
            "classes": self.details,
            "area_edges": self.area_quartiles,
        }
        check_schema({**content, "classes": {new: self.details[new]}}, "details")
        write_arrays(record.with_suffix(SPREAD), self.spread)
        if self.pooled:
            write_arrays(record.with_suffix(POOLED), self.pooled)
        if self.regions is not None:
            buffer = io.BytesIO()
            self.regions.to_parquet(buffer, index=False)
            write_atomically(record.with_suffix(REGIONS), buffer.getvalue())
        text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
        write_atomically(record.with_suffix(DETAILS), gzip.compress(text.encode(), mtime=0))


def read_sidecars(record: Path, identity: str) -> Sidecars:
    """What lies beside a record; empty where nothing does, or where it cannot be read."""
    content = read_details(record)
    if content is None:
        return Sidecars(identity)
    spread, pooled = (read_arrays(record.with_suffix(suffix)) or {} for suffix in (SPREAD, POOLED))
    return Sidecars(identity, content["area_edges"], content["classes"], read_regions(record), spread, pooled)


def read_details(record: Path) -> dict[str, Any] | None:
    """The details beside a record, as they are written: `classes` has `parts`, `curves`, `intervals` of each class.

    None where there are none. Details that cannot be read, or are not those of a record of this name, are reported
    by a warning with their path, and None is returned.
    """
    path = record.with_suffix(DETAILS)
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        check_schema(content, "details")
        if content["identity"][:16] != record.stem:
            raise ZsadError(f"they are those of the record {content['identity'][:16]}")
    except UNREADABLE as failure:
        log.warning("no readable details in '%s': %s", path, failure)
        return None
    return content


def read_regions(record: Path) -> pd.DataFrame | None:
    """The regions of the ground truth beside a record, None where there are none that can be read.

    Columns: `path`, `class`, `defect`, `view`; `area` in pixels, `area_share` of the image, `border` the pixels between
    the region and the nearest border; `overlap@RATE`, the fraction that is found at each rate of false alarms.
    """
    import pandas as pd

    path = record.with_suffix(REGIONS)
    if not path.is_file():
        return None
    try:
        return pd.read_parquet(path)
    except UNREADABLE as failure:
        log.warning("no readable regions in '%s': %s", path, failure)
        return None


def read_spread(record: Path) -> dict[str, Arrays] | None:
    """What `Spread.from_state` takes, by class; None where there is none that can be read."""
    return read_arrays(record.with_suffix(SPREAD))


def write_arrays(path: Path, arrays: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    """Write the arrays of each class under `class/name`."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {f"{name}/{key}": one for name, own in arrays.items() for key, one in own.items()}
    np.savez_compressed(buffer, **named)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, Arrays] | None:
    """The arrays of each class; None where there is no such file, or none that can be read: a warning says so."""
    if not path.is_file():
        return None
    found: dict[str, Arrays] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                name, _, own = key.rpartition("/")
                found.setdefault(name, {})[own] = archive[key]
    except UNREADABLE as failure:
        log.warning("no readable arrays in '%s': %s", path, failure)
        return None
    return found
