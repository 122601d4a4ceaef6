"""The tidy frame as `results.csv` and `results.parquet`: every measured and published number, one a row.

The column `source` says which are which: `measured`, or the paper. Values are fractions; costs stand as printed. Names
are the records' own in `results.parquet`; `results.csv`, which is read line by line, has each on one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from zsadbench.compare import Board, Report
from zsadbench.printing import one_line
from zsadbench_reports.files import write


def write_tidy(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write both files below `out`; there are no templates to override."""
    buffer = io.BytesIO()
    board.frame.to_parquet(buffer, index=False)
    lines = board.frame.map(lambda value: one_line(value) if isinstance(value, str) else value)
    text = lines.to_csv(index=False, lineterminator="\n")
    return [write(out, "results.csv", text), write(out, "results.parquet", buffer.getvalue())]


REPORT = Report(write_tidy)
