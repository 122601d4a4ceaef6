"""Records of results: one JSON file per method, target and seed, with a table of its images.

    results/<target>/<method>/<first 16 hex of the identity>.json      metrics per class, cost, provenance
    results/<target>/<method>/<first 16 hex of the identity>.parquet   one row per image
    results/<target>/<method>/<first 16 hex of the identity>.maps/     anomaly maps, with --save-maps

Further sidecar files are described in `zsadbench.records.sidecars`. A record contains the classes that are finished so
far. Files are written atomically, and no file is ever deleted.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import fsum, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.errors import ZsadError
from zsadbench.files import write_atomically
from zsadbench.records.hashes import Cell, digest_of, identity
from zsadbench.records.schemas import check_schema
from zsadbench.records.tables import read_table, table_bytes

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SCHEMA = 1  # version of the format
SHOWN = ("cell", "expected", "classes", "undefined", "signature", "not_comparable_because")  # what tables show
MEAN = "mean"  # the name of the mean over classes
MetricValues = dict[str, float | None]  # metric → value, None if undefined


def record_path(out: Path, cell: Cell) -> Path:
    """The path of the record of `cell` below `out`."""
    return out / safe_name(cell["target"]["name"]) / safe_name(cell["method"]) / f"{identity(cell)[:16]}.json"


def map_path(folder: Path, relative: str) -> Path:
    """The path of an anomaly map in `folder`, the record's `.maps`; `relative` is the path of the image in its set."""
    return folder / f"{relative}.npy"


def safe_name(name: str) -> str:
    """Convert a name to a safe file name: other characters become a dash, and leading dots are removed."""
    return re.sub(r"[^\w.-]+", "-", name).lstrip(".") or "-"


@dataclass
class Record:
    """The results of one method on one target with one seed; the fields are described in `record.schema.json`.

    Attributes:
        cell: everything that determines the scores.
        expected: all classes of the target, in its order.
        classes: class → metric → value, for the classes that are finished.
        bounds: class → metric → [lower, upper], for values that are not exact.
        undefined: class → metric → the reason why its value is None.
        pooled: metric over the images of all classes together → `value`, `lower`, `upper`, `reason`.
        counts: class → numbers of images and regions.
        comparable: whether the results may be compared with others.
        not_comparable_because: the reasons if not.
        ledger: the overlap of auxiliary and target data.
        cost: times and memory.
        provenance: versions, machine and command.
        signature: one line that says how the results were made.
    """

    cell: Cell
    expected: list[str]
    classes: dict[str, MetricValues] = field(default_factory=dict)
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
        """Whether every class of the target is finished."""
        return set(self.expected) <= self.classes.keys()

    def mean(self) -> tuple[MetricValues, dict[str, int], dict[str, str]]:
        """Average each metric over classes, unweighted.

        The result does not depend on the order of classes. The mean of a pooled metric is its value over all images.

        Returns:
            metric → mean, None if it is undefined; metric → number of classes in the mean; metric → the reason why
            its mean is None.
        """
        metrics = dict.fromkeys(metric for by_metric in self.classes.values() for metric in by_metric)
        means: MetricValues = {}
        sizes: dict[str, int] = {}
        reasons: dict[str, str] = {}
        for metric in metrics:
            values = [value for by_metric in self.classes.values() if (value := by_metric.get(metric)) is not None]
            sizes[metric] = len(self.classes) if metric in self.pooled else len(values)
            reason = self._why_no_mean(metric)
            if reason:
                means[metric], reasons[metric] = None, reason
            else:
                means[metric] = self.pooled[metric]["value"] if metric in self.pooled else fsum(values) / len(values)
        return means, sizes, reasons

    def rows(self) -> Iterator[tuple[str, MetricValues, Mapping[str, str]]]:
        """Yield the name, the values and the reasons of undefined values of each class, then those of the mean.

        The mean has the name `mean`; a class of that name is called `mean (class)`, so that it keeps its numbers.
        """
        for name, values in self.classes.items():
            yield f"{MEAN} (class)" if name == MEAN else name, values, self.undefined.get(name, {})
        means, _, reasons = self.mean()
        yield MEAN, means, reasons

    def _why_no_mean(self, metric: str) -> str:
        """The reason why `metric` has no mean; empty if it has one."""
        absent = [name for name in self.expected if metric not in self.classes.get(name, {})]
        if absent:
            return f"{len(absent)} of {len(self.expected)} classes are not evaluated yet: {', '.join(absent)}"
        if metric in self.pooled:
            return self.pooled[metric]["reason"] or ""
        defined = any(by_metric[metric] is not None for by_metric in self.classes.values())
        return "" if defined else "undefined in every class"

    def as_json(self) -> dict[str, Any]:
        """The content of the JSON file, which is valid under `record.schema.json`."""
        means, sizes, reasons = self.mean()
        if reasons:  # a class may be called 'mean': its own reasons come first
            reasons = {**reasons, **self.undefined.get(MEAN, {})}
        undefined = {**self.undefined, **({MEAN: reasons} if reasons else {})}
        finished = [name for name in self.expected if name in self.classes]
        content = {
            "schema": SCHEMA,
            "identity": identity(self.cell),
            "cell": dict(self.cell),
            "expected": self.expected,
            "classes": {name: self.classes[name] for name in finished},
            "bounds": self.bounds,
            "mean": means if self.complete else None,
            "mean_classes": sizes,
            "undefined": undefined,
            **({"pooled": self.pooled} if self.pooled else {}),
            "counts": {name: self.counts[name] for name in finished},
            "comparable": self.comparable,
            "not_comparable_because": self.not_comparable_because,
            "ledger": self.ledger,
            "cost": self.cost,
            "provenance": self.provenance,
            "signature": self.signature,
        }
        return content | {"digest": digest_of(content)}


def validate(content: Any) -> None:
    """Check the content of a record against its schema.

    Raises:
        ZsadError: it is invalid; the message names the first error and its position.
    """
    check_schema(content, "record")


def write_record(path: Path, record: Record, images: pd.DataFrame) -> None:
    """Write the table of the images, then the record."""
    content = record.as_json()
    validate(content)
    write_atomically(path.with_suffix(".parquet"), table_bytes(images, content["identity"]))
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_record(path: Path) -> Record:
    """Read a record; the name of its file, which a copy may change, is not compared with its identity.

    Raises:
        ZsadError: it cannot be read, is invalid, has another version of the format, or is not the record of its cell.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as failure:
        raise ZsadError(f"{path} is no readable record: {failure}") from failure
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ZsadError(f"{path} is no record of schema {SCHEMA}")
    try:
        validate(content)
        _check_content(content)
    except ZsadError as failure:
        raise ZsadError(f"{path}: {failure}") from failure
    undefined = {name: reasons for name, reasons in content["undefined"].items() if name != MEAN}
    if MEAN in content["classes"]:
        of_class = content["classes"][MEAN]
        reasons = content["undefined"].get(MEAN, {})
        undefined[MEAN] = {metric: reason for metric, reason in reasons.items() if of_class.get(metric, 0) is None}
    fields = {name: content[name] for name in Record.__dataclass_fields__ if name != "undefined" and name in content}
    return Record(**fields, undefined=undefined)


def _check_content(content: dict[str, Any]) -> None:
    """Check what the schema of a record cannot say: finite numbers, its identity, its digest, and the classes.

    Raises:
        ZsadError: the content is not that of a record as it was written.
    """
    place = _not_finite(content)
    if place:
        raise ZsadError(f"the number at {place} is not finite")
    try:
        json.dumps([content[name] for name in SHOWN], ensure_ascii=False).encode()
    except UnicodeEncodeError as failure:
        raise ZsadError(
            f"a name in it is no valid text: {failure.object[max(0, failure.start - 20) : failure.end]!r}"
        ) from failure
    if content["identity"] != identity(content["cell"]):
        raise ZsadError(f"it was edited: '{content['identity'][:16]}' is not the identity of its cell")
    foreign = [name for name in content["classes"] if name not in content["expected"] or name not in content["counts"]]
    if foreign:
        raise ZsadError(f"it was edited: the class '{foreign[0]}' is not among those expected, or has no counts")
    if content.get("digest", digest_of(content)) != digest_of(content):
        raise ZsadError("it was edited or is damaged: its results are not those that were written")


def _not_finite(value: Any, place: str = "") -> str:
    """The place of the first NaN or infinity in a JSON value, such as `classes/bolt/image_auroc`; empty without one."""
    if isinstance(value, float):
        return "" if isfinite(value) else place
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return next((found for key, part in items if (found := _not_finite(part, f"{place}/{key}".lstrip("/")))), "")


def read_images(path: Path) -> pd.DataFrame | None:
    """Read the table of the images of a record, one row per image, with at least `path`, `class`, `label` and `score`.

    Returns:
        The table; None if there is none. If it cannot be used, a warning is logged and None is returned.
    """
    return read_table(path.with_suffix(".parquet"), path, texts=("path", "class"), numbers=("label", "score"))


def find_records(out: Path) -> Iterator[tuple[Path, Record]]:
    """Read every record below `out`, sorted by path; a record that cannot be read is logged and skipped."""
    for path in sorted(out.glob("*/*/*.json")):
        try:
            yield path, read_record(path)
        except ZsadError as failure:
            log.warning("skipped: %s", failure)


def read_results(path: Path | str) -> pd.DataFrame:
    """Read all records below `path` as one frame; see `tidy`."""
    return tidy(find_records(Path(path)))


def tidy(records: Iterable[tuple[Path, Record]]) -> pd.DataFrame:
    """Convert records to one frame, with one row per method, target, class, seed, shots and metric.

    Returns:
        A frame with the columns `method target class seed shots metric value reason comparable signature path`. The
        class `mean` is the mean over classes; `value` is a fraction, or NaN with its `reason`.
    """
    import pandas as pd

    keys = ["method", "target", "class", "seed", "shots", "metric"]
    columns = [*keys, "value", "reason", "comparable", "signature", "path"]
    rows = [row for path, record in records for row in _tidy_rows(path, record)]
    return pd.DataFrame(rows, columns=columns).astype({"value": "float64"})


def _tidy_rows(path: Path, record: Record) -> Iterator[dict[str, Any]]:
    for name, by_metric, reasons in record.rows():
        for metric, value in by_metric.items():
            yield {
                "method": record.cell["method"],
                "target": record.cell["target"]["name"],
                "class": name,
                "seed": record.cell["seed"],
                "shots": record.cell["shots"],
                "metric": metric,
                "value": value,
                "reason": reasons.get(metric),
                "comparable": record.comparable,
                "signature": record.signature,
                "path": str(path),
            }
