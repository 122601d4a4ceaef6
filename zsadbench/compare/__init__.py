"""Measured records and published numbers side by side: one tidy frame, and what may be said of it.

`board_of` gathers both, `contents_of` lays its tables out; a report gets the board. Means, ranks, best and second
stay inside one comparability group (protocol, AUPRO variant, split, backbone) and leave out what is not comparable.
"""

from zsadbench.checkpoints import write_atomically
from zsadbench.compare.board import Board, Report, board_of
from zsadbench.compare.contents import Contents, contents_of
from zsadbench.compare.layout import Cell, Number, Row, Table, blocks, panels

__all__ = [
    "Board",
    "Cell",
    "Contents",
    "Number",
    "Report",
    "Row",
    "Table",
    "blocks",
    "board_of",
    "contents_of",
    "panels",
    "write_atomically",
]
