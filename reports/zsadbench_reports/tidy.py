"""The tidy frame as `results.csv` and `results.parquet`: one row per measured or published number.

The column `source` is `measured` or the paper. Accuracies are fractions, costs are as printed. `results.parquet` has
names as in the records; in `results.csv`, line breaks in names are written out, so that each row is one line, and an
apostrophe stands before a text that a spreadsheet would take for a formula.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from zsadbench.compare import Board, Report
from zsadbench.printing import spreadsheet_text
from zsadbench_reports.files import write


def write_tidy(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write both files below `out`; this format has no templates."""
    buffer = io.BytesIO()
    board.frame.to_parquet(buffer, index=False)
    lines = board.frame.map(lambda value: spreadsheet_text(value) if isinstance(value, str) else value)
    text = lines.to_csv(index=False, lineterminator="\n")
    return [write(out, "results.csv", text), write(out, "results.parquet", buffer.getvalue())]


REPORT = Report(write_tidy)
