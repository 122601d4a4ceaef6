"""The tables of a reproduction: printed numbers with ours and the verdicts, as the terminal and the files show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from zsadbench.compare.frame import AUPRO, COSTS, HEADINGS, is_cost
from zsadbench.compare.paper_rows import PaperRow
from zsadbench.compare.tables.gaps import READ, Reasons, judged_cell
from zsadbench.compare.tables.layout import Judged, Row, Table
from zsadbench.compare.tables.published import DIGITS
from zsadbench.data import find_card
from zsadbench.records import Record
from zsadbench.reproduce.layout import Layout, RowRun
from zsadbench.reproduce.numbers import ReproducedNumber

VERDICTS = ("agrees", "drifts", "not comparable", "not run")


def tally(cells: Sequence[ReproducedNumber]) -> dict[str, int]:
    """Count the cells of each verdict."""
    counts = Counter(cell.verdict for cell in cells)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def tables_of(layout: Layout, cells: Sequence[ReproducedNumber], records: Sequence[Record]) -> list[Table]:
    """One table per data set, and one of costs: rows of the paper, or classes, over metrics.

    Reasons are numbered over all tables. The last table has them as notes, then the signatures of the records and the
    count of verdicts.
    """
    reasons, tables = Reasons(), []
    for target in dict.fromkeys(_target(cell) for cell in cells):
        shown = [cell for cell in cells if _target(cell) == target]
        tables.append(_table(layout, target, shown, reasons))
    if not tables:
        return []
    variants = [
        f"AUPRO of ours is the variant {variant} in: {', '.join(rows)}" for variant, rows in _variants(cells).items()
    ]
    counts = "; ".join(f"{count} {verdict}" for verdict, count in tally(cells).items())
    notes = (READ, *variants, *reasons.notes, *(record.signature for record in records), counts)
    return [*tables[:-1], replace(tables[-1], notes=notes)]


def _target(cell: ReproducedNumber) -> str:
    """The data set of a number; empty for a cost."""
    return cell.run.target if cell.class_name else ""


def _table(layout: Layout, target: str, cells: Sequence[ReproducedNumber], reasons: Reasons) -> Table:
    metrics = list(dict.fromkeys(_heading(cell) for cell in cells))
    by_class = any(cell.class_name not in {"mean", ""} for cell in cells)
    cells_of: dict[str, dict[str, Judged]] = {}
    for cell in cells:
        label = cell.class_name if by_class else row_label(cell.run.row) + mark_of(cell.run)
        cells_of.setdefault(label, {})[_heading(cell)] = _cell(cell, reasons)
    rows = tuple(Row(label, tuple(of.get(metric, "-") for metric in metrics)) for label, of in cells_of.items())
    key = f"{layout.table.name.replace(':', '-')}-{target or 'cost'}"
    return Table(key, _title(target, cells), "class" if by_class else "row", tuple(metrics), rows)


def _title(target: str, cells: Sequence[ReproducedNumber]) -> str:
    used = next((cell.run.used for cell in cells), target)
    if not target:
        return f"cost, on {used}"
    title = find_card(target).title
    return title if used == target else f"{title} ({used} in its place)"


def _heading(cell: ReproducedNumber) -> str:
    if is_cost(cell.metric):
        return COSTS[cell.metric]
    return "AUPRO" if cell.metric in AUPRO else HEADINGS[cell.metric]


def _cell(cell: ReproducedNumber, reasons: Reasons) -> Judged:
    published, measured = (_number(value, cell.metric) for value in (cell.published, cell.measured))
    if cell.spread is not None:
        measured += f" ± {_number(cell.spread, cell.metric)}"
    return judged_cell(published, measured, cell.difference, (cell.verdict, cell.because), reasons)


def _number(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return f"{value:.{DIGITS.get(metric, 1)}f}" if is_cost(metric) else f"{100 * value:.1f}"


def _variants(cells: Sequence[ReproducedNumber]) -> dict[str, list[str]]:
    """Map each AUPRO variant to the rows in which our number is of this variant."""
    rows: dict[str, list[str]] = {}
    for cell in cells:
        label = row_label(cell.run.row)
        if cell.metric in AUPRO and cell.measured is not None and label not in rows.setdefault(AUPRO[cell.metric], []):
            rows[AUPRO[cell.metric]].append(label)
    return rows


def row_label(row: PaperRow) -> str:
    """The label of a row, with its number of shots if it is few-shot."""
    shots = "" if row.shots == 0 else ", all normal images" if row.shots < 0 else f", {row.shots}-shot"
    return row.label + shots


def mark_of(run: RowRun) -> str:
    """What marks a row of a method without official code, or whose image scores use all images of a class."""
    marks = [mark for mark in ("unofficial", "transductive") if any(job.cell.get(mark) for job in run.jobs)]
    return f" [{', '.join(marks)}]" if marks else ""
