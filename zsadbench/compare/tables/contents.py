"""All tables of a report, in the order in which reports print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from zsadbench.compare.board import Board
from zsadbench.compare.tables.ablation import measured_ablation_tables
from zsadbench.compare.tables.beside_published import beside_published_tables
from zsadbench.compare.tables.breakdown import breakdown_tables
from zsadbench.compare.tables.costs import cost_tables
from zsadbench.compare.tables.gaps import conflict_tables, gap_tables
from zsadbench.compare.tables.layout import Table
from zsadbench.compare.tables.measured import class_tables, main_tables
from zsadbench.compare.tables.own_ablation import own_ablation_tables
from zsadbench.compare.tables.published import (
    paper_ablation_tables,
    paper_class_tables,
    paper_cost_tables,
    paper_main_tables,
)
from zsadbench.compare.tables.significance import critical_tables, significance_tables


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
        ablation=[*own_ablation_tables(board), *measured_ablation_tables(board), *paper_ablation_tables(board)],
        gaps=[*significance_tables(board), *critical_tables(board), *gap_tables(board), *conflict_tables(board)],
        breakdown=breakdown_tables(board),
    )
