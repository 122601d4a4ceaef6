"""Measured records and published numbers in one tidy frame, and the tables, tests and verdicts computed from it.

`board_of` collects both, `contents_of` makes all tables of a board; a report gets the board. Means, ranks and the marks
of best and second best are computed inside one comparability group (protocol, backbone, number of support images) and
leave out numbers that are not comparable.
"""

from zsadbench.compare.board import Board, Report, board_of
from zsadbench.compare.choice import choose
from zsadbench.compare.citations import bibliography, paper_of
from zsadbench.compare.significance.comparisons import critical_differences
from zsadbench.compare.significance.critical_difference import CriticalDifference, critical_difference
from zsadbench.compare.significance.differences import p_text
from zsadbench.compare.summary import Score, over_seeds
from zsadbench.compare.tables.contents import Contents, contents_of
from zsadbench.compare.tables.layout import Cell, Difference, Judged, Number, Row, Table, blocks, panels
from zsadbench.selection import Selection

__all__ = [
    "Board",
    "Cell",
    "Contents",
    "CriticalDifference",
    "Difference",
    "Judged",
    "Number",
    "Report",
    "Row",
    "Score",
    "Selection",
    "Table",
    "bibliography",
    "blocks",
    "board_of",
    "choose",
    "contents_of",
    "critical_difference",
    "critical_differences",
    "over_seeds",
    "p_text",
    "panels",
    "paper_of",
]
