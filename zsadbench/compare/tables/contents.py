"""All tables of a report, in the order in which reports print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.gap import DEVIATIONS, OFFICIAL_TOLERANCE, TOLERANCE, Gap, conflicts, gaps
from zsadbench.compare.tables.ablation import measured_ablation_tables
from zsadbench.compare.tables.beside_published import beside_published_tables
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
    """The tables by the file they belong to, `by_class` also by target; measured tables come first."""

    main: Sequence[Table]
    by_class: Mapping[str, Sequence[Table]]
    cost: Sequence[Table]
    ablation: Sequence[Table]
    gaps: Sequence[Table]
    breakdown: Sequence[Table]

    def all(self) -> list[Table]:
        """All tables in one list."""
        by_class = [table for tables in self.by_class.values() for table in tables]
        return [*self.main, *self.gaps, *by_class, *self.breakdown, *self.cost, *self.ablation]


@lru_cache(maxsize=1)  # every format takes the same board; its bootstrap runs once
def contents_of(board: Board) -> Contents:
    """Make all tables of the numbers of `board`; the result is cached for the last board."""
    measured, published = class_tables(board), paper_class_tables(board)
    targets = board.ordered([*measured, *published])
    return Contents(
        main=[*beside_published_tables(board), *main_tables(board), *paper_main_tables(board)],
        by_class={target: [*measured.get(target, []), *published.get(target, [])] for target in targets},
        cost=[*cost_tables(board), *paper_cost_tables(board)],
        ablation=[*measured_ablation_tables(board), *paper_ablation_tables(board)],
        gaps=[*significance_tables(board), *critical_tables(board), *_gap_table(board), *_conflict_table(board)],
        breakdown=breakdown_tables(board),
    )


def _gap_table(board: Board) -> list[Table]:
    """Measured means over classes and the published ones; empty where no number has both."""
    rows = tuple(_gap_row(board, gap) for gap in gaps(board.frame) if gap.class_name == "mean")
    columns = ("metric", "measured", "published", "gap", "printed in", "verdict")
    caption = "Measured and published numbers."
    return [Table("gaps", caption, "method and data set", columns, rows, (RULE,))] if rows else []


def _gap_row(board: Board, gap: Gap) -> Row:
    spread = None if gap.measured.spread is None else 100 * gap.measured.spread
    measured = Number(None if gap.measured.value is None else 100 * gap.measured.value, spread)
    verdict = f"{gap.verdict}: {gap.because}" if gap.because else gap.verdict
    points = "-" if gap.points is None else f"{gap.points:+.1f}"
    numbers = ((measured,), (Number(100 * gap.published),))
    cells = (HEADINGS.get(gap.metric, gap.metric), *numbers, points, f"{gap.paper} Table {gap.table}", verdict)
    return Row(f"{gap.entry}, {board.dataset(gap.target).title}", cells)


def _conflict_table(board: Board) -> list[Table]:
    rows = []
    for conflict in conflicts(board.frame):
        printed = "; ".join(f"{100 * value:.1f} ({paper} Table {table})" for paper, table, value in conflict.numbers)
        metric = "AUPRO" if conflict.metric == "pixel_aupro" else HEADINGS.get(conflict.metric, conflict.metric)
        shots = f", {conflict.shots}-shot" if conflict.shots != "0" else ""
        rows.append(Row(f"{conflict.method}, {board.dataset(conflict.target).title}{shots}", (metric, printed)))
    caption = "Where papers print different numbers for one method and data set."
    return [Table("conflicts", caption, "method and data set", ("metric", "printed"), tuple(rows))] if rows else []
