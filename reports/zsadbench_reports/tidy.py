"""The tidy frame as `results.csv` and `results.parquet`: one row per measured or published number.

The column `source` is `measured` or the paper. In `value` accuracies are fractions in full precision and costs as they
are printed; `printed` is the number as tables print it, accuracies in percent. `results.parquet` has
names as in the records; in `results.csv`, line breaks in names are written out, so that each row is one line, and an
apostrophe stands before a text that a spreadsheet would take for a formula.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from zsadbench.compare import Board, Report
from zsadbench.printing import spreadsheet_text
from zsadbench_reports.files import write


def write_tidy(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write both files below `out`; this format has no templates."""
    buffer = io.BytesIO()
    frame = board.frame.assign(printed=_printed(board))
    frame.to_parquet(buffer, index=False)
    lines = frame.map(lambda value: spreadsheet_text(value) if isinstance(value, str) else value)
    text = lines.to_csv(index=False, lineterminator="\n")
    return [write(out, "results.csv", text), write(out, "results.parquet", buffer.getvalue())]


def _printed(board: Board) -> list[str]:
    """Every number as tables print it: those of papers with the decimals of the paper; empty for none."""
    decimals = board.selection.decimals
    numbers = zip(board.frame["value"], board.frame["printed"], strict=True)
    return [printed or ("" if math.isnan(value) else f"{100 * value:.{decimals}f}") for value, printed in numbers]


REPORT = Report(write_tidy)
