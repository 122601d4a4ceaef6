"""Records of earlier identity schemes: they are read and reported, but no run completes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zsadbench.records.hashes import Cell

if TYPE_CHECKING:
    from pathlib import Path

CODE = "code"  # the entry of a cell with the versions of the code, which cells of earlier schemes lack


def is_stale(cell: Cell) -> bool:
    """Return whether a cell is of an earlier identity scheme, in which neither code nor bytes of images counted."""
    return CODE not in cell


def stale_records(out: Path) -> list[Path]:
    """Return the records below `out` of an earlier identity scheme, sorted; files that are no records are ignored."""
    stale = []
    for path in sorted(out.glob("*/*/*.json")):
        try:
            cell = json.loads(path.read_text())["cell"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
        if isinstance(cell, dict) and is_stale(cell):
            stale.append(path)
    return stale
