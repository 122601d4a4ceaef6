"""The qualitative grid: image, ground truth and one map per method, as a page, as LaTeX and as PDF.

`pictures` writes the files of the cells, `paper` makes LaTeX and PDF of a data set, `page` the page `grid.html`.
"""

from zsadbench_reports.grid.page import REPORT, write_grid

__all__ = ["REPORT", "write_grid"]
