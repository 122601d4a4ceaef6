"""The tidy frame as `results.csv` and `results.parquet`: one row per measured or published number.

The column `source` is `measured` or the paper. In `value` accuracies are fractions in full precision and costs as they
are printed; `printed` is the number as tables print it, accuracies in percent. `results.parquet` has
names as in the records; in `results.csv`, line breaks in names are written out, so that each row is one line, and an
apostrophe stands before a text that a spreadsheet would take for a formula.

Ablations of measured methods are `tables/ablation_METHOD.csv`, one row per data set and setting, in percent and points.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from zsadbench.compare import Board, Cell, Difference, Report, Table, contents_of
from zsadbench.compare.tables.own_ablation import KEY
from zsadbench.printing import spreadsheet_text
from zsadbench.records import safe_name
from zsadbench_reports.files import SINGLES, write


def write_tidy(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write these files below `out`; this format has no templates."""
    buffer = io.BytesIO()
    frame = board.frame.assign(printed=_printed(board))
    frame.to_parquet(buffer, index=False)
    lines = frame.map(lambda value: spreadsheet_text(value) if isinstance(value, str) else value)
    text = lines.to_csv(index=False, lineterminator="\n")
    ablations = [table for table in contents_of(board).ablation if table.key.startswith(KEY)]
    folder = out / SINGLES
    if ablations:
        folder.mkdir(exist_ok=True)
    return [
        write(out, "results.csv", text),
        write(out, "results.parquet", buffer.getvalue()),
        *(write(folder, f"{safe_name(table.key)}.csv", table_text(table)) for table in ablations),
    ]


def table_text(table: Table) -> str:
    """A table as CSV: a spread, and the ends of an interval, in columns of their own."""
    places = range(len(table.columns))
    first = ["data set", *table.names]
    rows = []
    for row in table.rows:
        ticks = [tick if isinstance(tick, str) else str(tick).lower() for tick in row.ticks]
        texts = [row.block, *(ticks or [row.label])]
        cells = [part for place in places for part in _columns(table, place, row.cells[place]).items()]
        rows.append({**dict(zip(first, map(spreadsheet_text, texts), strict=True)), **dict(cells)})
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def _columns(table: Table, place: int, cell: Cell) -> dict[str, float | str | None]:
    """The columns that a cell takes, with their names; a difference is of the column before it."""
    name = table.columns[place]
    if isinstance(cell, Difference) or cell == "-":
        values = (cell.points, cell.low, cell.high) if isinstance(cell, Difference) else (None, None, None)
        metric = table.columns[place - 1]
        return dict(zip((f"{metric} difference", f"{metric} low", f"{metric} high"), values, strict=True))
    if isinstance(cell, str):
        return {name: spreadsheet_text(cell)}
    return {name: cell[0].value, f"{name} spread": cell[0].spread}


def _printed(board: Board) -> list[str]:
    """Every number as tables print it: those of papers with the decimals of the paper; empty for none."""
    decimals = board.selection.decimals
    numbers = zip(board.frame["value"], board.frame["printed"], strict=True)
    return [printed or ("" if math.isnan(value) else f"{100 * value:.{decimals}f}") for value, printed in numbers]


REPORT = Report(write_tidy)
