"""Measured records and published numbers side by side: one tidy frame, and what may be said of it.

`board_of` gathers both, `contents_of` lays its tables out; a report gets the board. Means, ranks, best and second
stay inside one comparability group (protocol, AUPRO variant, split, backbone) and leave out what is not comparable.
"""

from zsadbench.compare.board import Board, Report, board_of
from zsadbench.compare.citations import bibliography, paper_of
from zsadbench.compare.significance.contests import critical_differences
from zsadbench.compare.significance.critical_difference import CriticalDifference, critical_difference
from zsadbench.compare.significance.differences import p_text
from zsadbench.compare.summary import Score, over_seeds
from zsadbench.compare.tables.contents import Contents, contents_of
from zsadbench.compare.tables.layout import Cell, Number, Row, Table, blocks, panels

__all__ = [
    "Board",
    "Cell",
    "Contents",
    "CriticalDifference",
    "Number",
    "Report",
    "Row",
    "Score",
    "Table",
    "bibliography",
    "blocks",
    "board_of",
    "contents_of",
    "critical_difference",
    "critical_differences",
    "over_seeds",
    "p_text",
    "panels",
    "paper_of",
]
