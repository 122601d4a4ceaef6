"""Records as rows of the tidy frame. Runs that differ in more than the seed never share a name.

The name of an entry is its method, followed by the fields of its cell in which it differs from the other runs
of this method: options, image size, precision, weights, shots; and, where one target was run in several ways, by
the auxiliary set, recipe, checkpoint, limit or copy of the data, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from zsadbench import registry
from zsadbench.compare.frame import AUPRO, COLUMNS, MEASURED
from zsadbench.errors import ZsadError
from zsadbench.records import Cell, Record

SETUP = ("options", "shots", "image_size", "precision", "weights_sha256")
DETAIL = ("aux", "recipe", "checkpoint_sha256", "tap_rule", "limit", "partial", "synthetic", "target")


def measured(records: Iterable[tuple[Path, Record]]) -> pd.DataFrame:
    """Records in the columns of `frame.COLUMNS`: a row per class, and `mean`, and metric."""
    found = [record for _, record in records]
    names = entry_names([record.cell for record in found])
    rows = [row for record, name in zip(found, names, strict=True) for row in _rows(record, name)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": "float64", "spread": "float64"})


@cache
def aupro_of(protocol: str) -> str:
    """The record key of the AUPRO that a comparison under `protocol` uses; the exact one where nobody knows it."""
    try:
        variant: str = registry.protocol(protocol).aupro
    except ZsadError:
        return "pixel_aupro"
    return {name: metric for metric, name in AUPRO.items()}[variant]


def split_of(cell: Cell) -> str:
    """Which images were evaluated: `card`, or why they were others."""
    kinds = [name for name in ("synthetic", "partial") if cell[name]]
    kinds += [f"first {cell['limit']} a label and class"] if cell["limit"] is not None else []
    return ", ".join(kinds) or "card"


def entry_names(cells: Sequence[Cell]) -> list[str]:
    """A name for each cell, so that equal names mean the same but for seed and target."""
    runs = [(cell["method"], _flat(cell, SETUP), _flat(cell, DETAIL)) for cell in cells]
    named = []
    for cell, (method, setup, detail) in zip(cells, runs, strict=True):
        alike = [
            place
            for place, (other, _, _) in enumerate(runs)
            if other == method and _group(cells[place]) == _group(cell)
        ]
        beside = [runs[place][1] for place in alike]
        same = [
            place
            for place in alike
            if runs[place][1] == setup and cells[place]["target"]["name"] == cell["target"]["name"]
        ]
        parts = _differing(setup, beside) + _differing(detail, [runs[place][2] for place in same])
        named.append(method + (f" [{', '.join(parts)}]" if parts else ""))
    return named


def _group(cell: Cell) -> tuple[str, str, str]:
    return cell["protocol"]["name"], cell["protocol"]["digest"], cell["backbone"]


def _flat(cell: Cell, names: Iterable[str]) -> dict[str, str]:
    """Nested fields as `field.key` → JSON."""
    return dict(pair for name in names for pair in _leaves(name, cell[name]))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key in value:
            yield from _leaves(f"{name}.{key}", value[key])
    else:
        yield name, json.dumps(value, sort_keys=True)


def _differing(own: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> list[str]:
    """`key=value` for the fields of `own` in which any of the others differs; long values are cut."""
    different = sorted({key for one in others for key in _apart(own, one)})
    told = {**own, "aux": _auxiliary(own)}
    return [f"{key.removeprefix('options.')}={told[key].strip(chr(34))[:24]}" for key in different if key in told]


def _apart(own: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The fields that tell two runs apart: another auxiliary set, or checkpoint, says enough of what was learned."""
    found = {key for key in {*own, *other} if own.get(key) != other.get(key)}
    rest = {key for key in found if key.partition(".")[0] not in {"aux", "recipe"}}
    if _auxiliary(own) != _auxiliary(other):
        return rest | {"aux"}
    return rest if "checkpoint_sha256" in found else found


def _auxiliary(fields: Mapping[str, str]) -> str:
    return fields.get("aux.name", "none")


def _rows(record: Record, name: str) -> Iterator[dict[str, Any]]:
    means, _, reasons = record.mean()
    undefined = {**record.undefined, "mean": reasons}
    for class_name, row in {**record.classes, "mean": means}.items():
        for metric, value in row.items():
            about = {"class": class_name, "metric": metric, "value": value, "aupro": AUPRO.get(metric, "")}
            yield _common(record, name) | about | {"reason": undefined.get(class_name, {}).get(metric, "")}


def _common(record: Record, name: str) -> dict[str, Any]:
    cell = record.cell
    supports = record.provenance.get("support_seed", 0) if cell["shots"] else None
    return {
        "source": MEASURED,
        "table": "",
        "entry": name,
        "method": cell["method"],
        "variant": ", ".join(f"{key}={value}" for key, value in sorted(cell["options"].items())),
        "target": cell["target"]["name"],
        "seed": str(cell["seed"]) if supports is None else f"{cell['seed']}/{supports}",
        "shots": str(cell["shots"]),
        "spread": None,
        "protocol": cell["protocol"]["name"],
        "digest": cell["protocol"]["digest"],
        "split": split_of(cell),
        "smoothing": "as the protocol says",
        "backbone": cell["backbone"],
        "computed_by": "this project",
        "comparable": record.comparable,
        "official": cell["checkpoint_sha256"] is not None and record.ledger.get("epoch_choice") != "fixed",
        "signature": record.signature,
        "note": "; ".join(record.not_comparable_because),
    }
