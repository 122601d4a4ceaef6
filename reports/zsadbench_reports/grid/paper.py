"""A grid for a paper: LaTeX that includes its pictures one by one, and one PDF of the whole."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.printing import one_line
from zsadbench_reports.grid.pictures import GridRow, Picture
from zsadbench_reports.tex import escape, letters_remark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 6.875  # inches: two columns of a paper
LONGEST = 22  # characters of a heading
HEADINGS = ("image", "ground truth")
SCALE = (
    "Colours, on one scale per method and data set: dark blue is the median of normal pixels, a third of the scale the "
    "value that 1 % of normal pixels exceed, red the level of a typical defect."
)


def grid_tex(title: str, key: str, methods: Sequence[str], rows: Sequence[GridRow]) -> str:
    """A `figure*` for `input`, which needs `graphicx` and `array`; paths are relative to the folder of the report."""
    headings = [*HEADINGS, *methods]
    width = 0.985 / len(headings)
    column = rf"@{{\hspace{{1pt}}}}>{{\centering\arraybackslash}}p{{{width:.4f}\textwidth}}"
    lines = [
        r"\begin{figure*}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{0pt}\renewcommand{\arraystretch}{0}",
        rf"  \begin{{tabular}}{{*{{{len(headings)}}}{{{column}}}@{{}}}}",
        "    " + " & ".join(rf"\strut {escape(shortened(name))}" for name in headings) + r" \\[2pt]",
        *("    " + " & ".join(map(_included, row.cells)) + rf" \\[1pt] % {comment(row.path)}" for row in rows),
        r"  \end{tabular}",
        rf"  \caption{{{escape(caption(title, rows))}}}",
        rf"  \label{{fig:zsadbench-grid-{key}}}",
        r"\end{figure*}",
    ]
    source = "\n".join(lines) + "\n"
    return f"% needs graphicx and array\n{letters_remark(source)}{source}"


def caption(title: str, rows: Sequence[GridRow]) -> str:
    """What the rows are, from the top, and how maps are coloured."""
    kinds = dict.fromkeys(f"{row.class_name} ({row.defect})" for row in rows)
    return f"{title}, from the top: {', '.join(kinds)}. {SCALE}"


def comment(path: str) -> str:
    """A path as a comment of LaTeX."""
    return one_line(path)


def shortened(name: str) -> str:
    """A name cut to the length that fits above a column."""
    shown = one_line(name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _included(picture: Picture | None) -> str:
    return "--" if picture is None else rf"\includegraphics[width=\linewidth]{{{picture.path}}}"


def grid_pdf(out: Path, methods: Sequence[str], rows: Sequence[GridRow]) -> bytes:
    """The grid as one PDF, as wide as a page; equal pictures give equal bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    headings = [*HEADINGS, *methods]
    shapes = [next((cell.height / cell.width for cell in row.cells if cell is not None), 1.0) for row in rows]
    side, buffer = WIDTH / len(headings), io.BytesIO()
    with rc_context({"pdf.fonttype": 42, "text.parse_math": False, "font.size": 7}):
        figure = Figure(figsize=(WIDTH, side * sum(shapes) + 0.25))
        FigureCanvasPdf(figure)
        grid = figure.add_gridspec(len(rows), len(headings), height_ratios=shapes, wspace=0.03, hspace=0.03)
        grid.update(left=0.0, right=1.0, bottom=0.0, top=1 - 0.22 / figure.get_figheight())
        for line, row in enumerate(rows):
            for place, picture in enumerate(row.cells):
                axes = figure.add_subplot(grid[line, place])
                _cell(axes, None if picture is None else out / picture.path)
                if line == 0:
                    axes.set_title(shortened(headings[place]), pad=3, fontsize=7 if len(headings) < 9 else 5)
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return buffer.getvalue()


def _cell(axes: Axes, path: Path | None) -> None:
    from PIL import Image as Pictures

    axes.set_axis_off()
    if path is None:
        axes.text(0.5, 0.5, "–", ha="center", va="center")
        return
    with Pictures.open(path) as picture:
        axes.imshow(picture.convert("RGB"), aspect="auto")
