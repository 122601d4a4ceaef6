"""The critical-difference diagram: mean ranks on an axis, bars that join methods that are not told apart.

The layout follows J. Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006).
"""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from zsadbench.compare import CriticalDifference, p_text
from zsadbench.printing import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#010203"  # placeholder for the text colour of the page; nothing else has this colour
LONGEST = 30  # characters of a name
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "zsadbench",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.parse_math": False,  # a dollar in a name is a dollar
}


def critical_difference_svg(result: CriticalDifference) -> str:
    """Draw `result` as an `<svg>` element in the colour of the surrounding text; equal results give equal bytes.

    Ranks run from 1, left, to the number of methods. Without a test there are no bars and no critical difference, and
    the reason is written above the axis.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = math.ceil(len(result.ranks) / 2)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.95 + 0.13 * len(result.cliques) + 0.24 * rows))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        _draw(axes, result)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    element = svg[svg.index("<svg ") :].replace(INK, "currentColor")
    element = re.sub(r"<metadata>.*?</metadata>", "", element, count=1, flags=re.DOTALL)
    # without a fixed size it is as wide as its container
    element = re.sub(r' (width|height)="[\d.]+pt"', "", element, count=2)
    description = escape(one_line(_description(result)), {'"': "&quot;"})
    return element.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)


def _draw(axes: Axes, result: CriticalDifference) -> None:
    """Draw axis, labels and bars. Units: ranks to the right, lines of text downwards from the axis at 0."""
    methods, bars = len(result.ranks), 0.5 * len(result.cliques)
    rows = math.ceil(methods / 2)
    margin = 0.55 * max(methods - 1, 1)
    axes.set_axis_off()
    axes.set_xlim(1 - margin, methods + margin)
    axes.set_ylim(rows + bars + 0.8, -2.8)
    axes.hlines(0, 1, methods, color=INK, linewidth=1)
    for tick in range(1, methods + 1):
        axes.vlines(tick, -0.3, 0, color=INK, linewidth=1)
        axes.text(tick, -0.45, str(tick), ha="center", va="bottom", fontsize=8, color=INK)
    _heading(axes, result)
    for index, (name, rank) in enumerate(result.ranks.items()):
        left = index < rows
        line = bars + 0.9 + (index if left else methods - 1 - index)  # the outermost ranks are highest
        edge, direction = (1 - 0.05 * margin, -1) if left else (methods + 0.05 * margin, 1)
        _label(axes, (name, rank), (edge, direction), line)
    for index, clique in enumerate(result.cliques):
        ends = result.ranks[clique[0]], result.ranks[clique[-1]]
        axes.hlines(0.5 + 0.5 * index, *ends, color=INK, linewidth=3.5)


def _heading(axes: Axes, result: CriticalDifference) -> None:
    """Draw the critical difference to scale, or write why there is no test."""
    if result.distance is None or result.p is None:
        axes.text(1, -1.75, f"no test: {result.reason}", va="center", fontsize=8, color=INK)
        return
    axes.hlines(-1.75, 1, 1 + result.distance, color=INK, linewidth=1)
    axes.vlines([1, 1 + result.distance], -1.95, -1.55, color=INK, linewidth=1)
    text = f"critical difference {result.distance:.2f}, Friedman p {p_text(result.p)}"
    axes.text(1, -2.1, text, va="bottom", fontsize=8, color=INK)


def _label(axes: Axes, method: tuple[str, float], end: tuple[float, int], line: float) -> None:
    """Write a method's name and rank, joined to its rank on the axis; `end` is an edge and the direction outwards."""
    (name, rank), (edge, direction) = (one_line(method[0]), method[1]), end
    axes.plot([rank, rank, edge], [0, line, line], color=INK, linewidth=0.7)
    shown = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    text = f"{shown} {rank:.2f}" if direction < 0 else f"{rank:.2f} {shown}"
    axes.annotate(
        text,
        (edge, line),
        xytext=(4 * direction, 0),
        textcoords="offset points",
        ha="right" if direction < 0 else "left",
        va="center",
        fontsize=8,
        color=INK,
        annotation_clip=False,
    )


def _description(result: CriticalDifference) -> str:
    """The diagram as text, for screen readers."""
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in result.ranks.items())
    groups = "; ".join(", ".join(clique) for clique in result.cliques)
    apart = f" Not told apart: {groups}." if groups else ""
    return f"Mean ranks over {result.sets} data sets: {ranks}.{apart}"
