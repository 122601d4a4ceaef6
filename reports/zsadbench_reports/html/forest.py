"""Forest plots: the differences of one reference from every other method, with intervals and corrected p."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from zsadbench.compare import Board, p_text
from zsadbench.compare.significance.comparisons import comparison_results, reference_of
from zsadbench.compare.significance.differences import LEVEL, Difference
from zsadbench_reports.html.figures import Figure, shortened
from zsadbench_reports.html.svg import MUTED, SERIES, TEXT, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

HOW = (
    "Dot: {reference} minus the method, in points; line: 95 % interval of the bootstrap. "
    "A full dot is significant after Holm's correction over these {count} comparisons."
)
ONE = "Dot: {reference} minus the method, in points; line: 95 % interval of the bootstrap."


def forest_figures(board: Board) -> list[Figure]:
    """One figure per comparison: the reference against every other method, the largest difference first."""
    figures = []
    for result in comparison_results(board):
        reference = reference_of(board, result.comparison)
        if reference is not None:
            pairs = sorted(result.against(reference), key=lambda pair: -pair.mean)
            caption = f"Differences of {reference} by {result.comparison.caption} {_how(reference, pairs)}"
            figures.append(Figure(_svg(f"forest-{result.comparison.key}", reference, pairs), caption))
    return figures


def _how(reference: str, pairs: Sequence[Difference]) -> str:
    """How to read the dots; without a test there are no full ones."""
    return (ONE if pairs[0].p is None else HOW).format(reference=reference, count=len(pairs))


def _svg(key: str, reference: str, pairs: Sequence[Difference]) -> Markup:
    listed = "; ".join(f"{pair.right} {_numbers(pair)}" for pair in pairs)
    description = f"{reference} minus each method, in points: {listed}."
    return drawing(key, description, (7.2, 0.8 + 0.27 * len(pairs)), lambda canvas: _paint(canvas, reference, pairs))


def _numbers(pair: Difference) -> str:
    """The difference, its interval and p as text."""
    text = f"{100 * pair.mean:+.1f} [{100 * pair.low:+.1f}, {100 * pair.high:+.1f}]"
    return text if pair.p is None else f"{text}, p {p_text(pair.p)}"


def _paint(canvas: Canvas, reference: str, pairs: Sequence[Difference]) -> None:
    axes: Axes = canvas.add_subplot(1, 1, 1)
    axes.axvline(0, color=MUTED, linewidth=1)
    for row, pair in enumerate(pairs):
        significant = pair.p is not None and pair.p < LEVEL
        axes.plot([100 * pair.low, 100 * pair.high], [row, row], color=SERIES[0], linewidth=1.6)
        fill = SERIES[0] if significant else "none"
        axes.scatter(100 * pair.mean, row, s=34, facecolor=fill, edgecolor=SERIES[0], zorder=3)
        axes.annotate(
            _numbers(pair),
            (1.0, row),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=TEXT,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(pairs)), [shortened(pair.right) for pair in pairs])
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.yaxis.grid(visible=False)
    axes.set_xlabel(f"points, {shortened(reference)} minus the method")
