"""Records: one JSON a (method, target, seed), whose path is the key, with the images beside it.

    results/<target>/<method>/<first 16 hex of the identity>.json      metrics by class, cost, provenance
    results/<target>/<method>/<first 16 hex of the identity>.parquet   one row an image
    results/<target>/<method>/<first 16 hex of the identity>.maps/     with --save-maps

and what `zsadbench.records.sidecars` describes.

A record holds the classes finished so far; files appear whole or not at all; nothing is deleted.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.errors import ZsadError
from zsadbench.files import write_atomically
from zsadbench.records.schemas import check_schema

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SCHEMA = 1
Cell = Mapping[str, Any]
Row = dict[str, float | None]


def identity(cell: Cell) -> str:
    """SHA-256 of the canonical JSON of everything that can change a score."""
    return hashlib.sha256(canonical(cell).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; NaN and Infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def record_path(out: Path, cell: Cell) -> Path:
    """Where the record of `cell` lives below `out`."""
    return out / safe_name(cell["target"]["name"]) / safe_name(cell["method"]) / f"{identity(cell)[:16]}.json"


def map_path(folder: Path, relative: str) -> Path:
    """Where the map of an image is kept: below `folder`, the record's `.maps`, as the image lies below its set."""
    return folder / f"{relative}.npy"


def safe_name(name: str) -> str:
    """A name as one path segment: anything odd becomes a dash, and it never climbs."""
    return re.sub(r"[^\w.-]+", "-", name).lstrip(".") or "-"


@dataclass
class Record:
    """One (method, target, seed). `expected` lists all classes of the target, in its order.

    `pooled` has the metrics over all classes together: `value`, `lower`, `upper` and `reason` of each.
    """

    cell: Cell
    expected: list[str]
    classes: dict[str, Row] = field(default_factory=dict)
    bounds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    undefined: dict[str, dict[str, str]] = field(default_factory=dict)
    pooled: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    comparable: bool = True
    not_comparable_because: list[str] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    signature: str = ""

    @property
    def complete(self) -> bool:
        """Whether every class of the target is there."""
        return set(self.expected) <= self.classes.keys()

    def mean(self) -> tuple[Row, dict[str, int], dict[str, str]]:
        """Unweighted mean over classes, the number of classes in each mean, and why a mean is null."""
        names = dict.fromkeys(name for row in self.classes.values() for name in row)
        means: Row = {}
        sizes: dict[str, int] = {}
        reasons: dict[str, str] = {}
        for name in names:
            values = [row[name] for row in self.classes.values() if row.get(name) is not None]
            sizes[name] = len(self.classes) if name in self.pooled else len(values)
            reason = self._why_no_mean(name)
            means[name] = None if reason else self._mean_of(name, values)
            if reason:
                reasons[name] = reason
        return means, sizes, reasons

    def _mean_of(self, metric: str, values: list[float | None]) -> float | None:
        """The mean of these values, in any order of classes the same; of a metric over all of them, its one value."""
        return self.pooled[metric]["value"] if metric in self.pooled else fsum(values) / len(values)  # type: ignore[arg-type]

    def _why_no_mean(self, metric: str) -> str:
        """Why there is no mean of `metric`; empty when there is one."""
        absent = [name for name in self.expected if metric not in self.classes.get(name, {})]
        if absent:
            return f"{len(absent)} of {len(self.expected)} classes are not evaluated yet: {', '.join(absent)}"
        if metric in self.pooled:
            return self.pooled[metric]["reason"] or ""
        defined = any(row[metric] is not None for row in self.classes.values())
        return "" if defined else "undefined in every class"

    def as_json(self) -> dict[str, Any]:
        """The record as it is written: valid under the shipped schema."""
        means, sizes, reasons = self.mean()
        undefined = {**self.undefined, **({"mean": reasons} if reasons else {})}
        ordered = [name for name in self.expected if name in self.classes]
        return {
            "schema": SCHEMA,
            "identity": identity(self.cell),
            "cell": dict(self.cell),
            "expected": self.expected,
            "classes": {name: self.classes[name] for name in ordered},
            "bounds": self.bounds,
            "mean": means if self.complete else None,
            "mean_classes": sizes,
            "undefined": undefined,
            **({"pooled": self.pooled} if self.pooled else {}),
            "counts": {name: self.counts[name] for name in ordered},
            "comparable": self.comparable,
            "not_comparable_because": self.not_comparable_because,
            "ledger": self.ledger,
            "cost": self.cost,
            "provenance": self.provenance,
            "signature": self.signature,
        }


def validate(content: Any) -> None:
    """Check a record against the shipped schema.

    Raises:
        ZsadError: the first thing that is wrong, and where.
    """
    check_schema(content, "record")


def write_record(path: Path, record: Record, images: pd.DataFrame) -> None:
    """Write the record and, before it, the table of its images."""
    content = record.as_json()
    validate(content)
    buffer = io.BytesIO()
    images.to_parquet(buffer, index=False)
    write_atomically(path.with_suffix(".parquet"), buffer.getvalue())
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_record(path: Path) -> Record:
    """Read a record back.

    Raises:
        ZsadError: it is unreadable, or of another schema.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as failure:
        raise ZsadError(f"{path} is no readable record: {failure}") from failure
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ZsadError(f"{path} is no record of schema {SCHEMA}")
    try:
        validate(content)
    except ZsadError as failure:
        raise ZsadError(f"{path}: {failure}") from failure
    undefined = {name: reasons for name, reasons in content["undefined"].items() if name != "mean"}
    kept = {name: content[name] for name in Record.__dataclass_fields__ if name != "undefined" and name in content}
    return Record(**kept, undefined=undefined)


def read_images(path: Path) -> pd.DataFrame | None:
    """The table of images beside a record, None if there is none."""
    import pandas as pd

    beside = path.with_suffix(".parquet")
    return pd.read_parquet(beside) if beside.is_file() else None


def find_records(out: Path) -> Iterator[tuple[Path, Record]]:
    """Every readable record below `out`, by path; an unreadable one is reported by name and skipped."""
    for path in sorted(out.glob("*/*/*.json")):
        try:
            yield path, read_record(path)
        except ZsadError as failure:
            log.warning("skipped: %s", failure)


def read_results(path: Path | str) -> pd.DataFrame:
    """All records below `path`, tidy; see `tidy`."""
    return tidy(find_records(Path(path)))


def tidy(records: Iterable[tuple[Path, Record]]) -> pd.DataFrame:
    """Records as one frame: one row per method, target, class, seed, shots and metric.

    Returns:
        A frame with the columns `method target class seed shots metric value reason comparable signature path`;
        the class `mean` is the mean over classes, `value` a fraction or NaN with its `reason`.
    """
    import pandas as pd

    named = ["method", "target", "class", "seed", "shots", "metric"]
    columns = [*named, "value", "reason", "comparable", "signature", "path"]
    rows = [row for found, record in records for row in _tidy(found, record)]
    return pd.DataFrame(rows, columns=columns).astype({"value": "float64"})


def _tidy(path: Path, record: Record) -> Iterator[dict[str, Any]]:
    means, _, reasons = record.mean()
    undefined = {**record.undefined, "mean": reasons}
    for name, row in {**record.classes, "mean": means}.items():
        for metric, value in row.items():
            yield {
                "method": record.cell["method"],
                "target": record.cell["target"]["name"],
                "class": name,
                "seed": record.cell["seed"],
                "shots": record.cell["shots"],
                "metric": metric,
                "value": value,
                "reason": undefined.get(name, {}).get(metric),
                "comparable": record.comparable,
                "signature": record.signature,
                "path": str(path),
            }
