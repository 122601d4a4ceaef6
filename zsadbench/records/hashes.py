"""Hash what a record is about, and what it says: its identity and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Cell = Mapping[str, Any]  # everything that determines the scores of a run, as in the record
DIGESTED = (  # not the fields that describe one machine and one time: cost, provenance
    *("cell", "expected", "classes", "bounds", "mean", "mean_classes", "undefined", "pooled", "counts"),
    *("comparable", "not_comparable_because", "ledger"),
)


def identity(cell: Cell) -> str:
    """Hash the canonical JSON of a cell: SHA-256, hexadecimal."""
    return _sha256(cell)


def digest_of(content: Mapping[str, Any]) -> str:
    """Hash the results in the content of a record, the fields `DIGESTED`: SHA-256 of canonical JSON, hexadecimal."""
    return _sha256({name: content[name] for name in DIGESTED if name in content})


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: Any) -> str:
    """Write a value as JSON with sorted keys and without spaces.

    Raises:
        ValueError: the value contains NaN or infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
