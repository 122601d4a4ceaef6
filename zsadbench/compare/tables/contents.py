"""All tables of a report, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.gap import DEVIATIONS, OFFICIAL_TOLERANCE, TOLERANCE, Gap, conflicts, gaps
from zsadbench.compare.tables.ablation import measured_ablation_tables
from zsadbench.compare.tables.breakdown import breakdown_tables
from zsadbench.compare.tables.costs import cost_tables
from zsadbench.compare.tables.layout import Number, Row, Table
from zsadbench.compare.tables.measured import class_tables, main_tables
from zsadbench.compare.tables.published import (
    paper_ablation_tables,
    paper_class_tables,
    paper_cost_tables,
    paper_main_tables,
)
from zsadbench.compare.tables.significance import critical_tables, significance_tables

RULE = (
    f"agrees: the numbers differ by at most the larger of {TOLERANCE} points and {DEVIATIONS:g} standard deviations "
    f"over seeds; with a published checkpoint, by at most {OFFICIAL_TOLERANCE}."
)


@dataclass(frozen=True)
class Contents:
    """Tables by the file they go to; those by class by target, too. Measured ones come first."""

    main: Sequence[Table]
    by_class: Mapping[str, Sequence[Table]]
    cost: Sequence[Table]
    ablation: Sequence[Table]
    gaps: Sequence[Table]
    breakdown: Sequence[Table]

    def all(self) -> list[Table]:
        """Every table."""
        by_class = [table for tables in self.by_class.values() for table in tables]
        return [*self.main, *self.gaps, *by_class, *self.breakdown, *self.cost, *self.ablation]


@lru_cache(maxsize=1)  # every format asks for the same board, and its intervals are drawn once
def contents_of(board: Board) -> Contents:
    """Every table that the numbers of `board` allow."""
    measured, published = class_tables(board), paper_class_tables(board)
    targets = board.ordered([*measured, *published])
    return Contents(
        main=[*main_tables(board), *paper_main_tables(board)],
        by_class={target: [*measured.get(target, []), *published.get(target, [])] for target in targets},
        cost=[*cost_tables(board), *paper_cost_tables(board)],
        ablation=[*measured_ablation_tables(board), *paper_ablation_tables(board)],
        gaps=[*significance_tables(board), *critical_tables(board), *_gap_table(board), *_conflict_table(board)],
        breakdown=breakdown_tables(board),
    )


def _gap_table(board: Board) -> list[Table]:
    """Means over classes beside what papers print of them; empty where there is nothing to set side by side."""
    found = [one for one in gaps(board.frame) if one.class_name == "mean"]
    rows = tuple(_gap_row(board, one) for one in found)
    columns = ("metric", "measured", "published", "gap", "printed in", "verdict")
    caption = "Measured and published numbers."
    return [Table("gaps", caption, "method and data set", columns, rows, (RULE,))] if rows else []


def _gap_row(board: Board, one: Gap) -> Row:
    spread = None if one.measured.spread is None else 100 * one.measured.spread
    measured = Number(None if one.measured.value is None else 100 * one.measured.value, spread)
    verdict = f"{one.verdict}: {one.because}" if one.because else one.verdict
    points = "-" if one.points is None else f"{one.points:+.1f}"
    numbers = ((measured,), (Number(100 * one.published),))
    cells = (HEADINGS.get(one.metric, one.metric), *numbers, points, f"{one.paper} Table {one.table}", verdict)
    return Row(f"{one.entry}, {board.dataset(one.target).title}", cells)


def _conflict_table(board: Board) -> list[Table]:
    rows = []
    for one in conflicts(board.frame):
        printed = "; ".join(f"{100 * value:.1f} ({paper} Table {table})" for paper, table, value in one.numbers)
        metric = "AUPRO" if one.metric == "pixel_aupro" else HEADINGS.get(one.metric, one.metric)
        shots = f", {one.shots}-shot" if one.shots != "0" else ""
        rows.append(Row(f"{one.method}, {board.dataset(one.target).title}{shots}", (metric, printed)))
    caption = "Where papers print different numbers for one method and data set."
    return [Table("conflicts", caption, "method and data set", ("metric", "printed"), tuple(rows))] if rows else []
