"""The figures of the page that need no script: accuracy against cost, spread over seeds, critical differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from markupsafe import Markup

from zsadbench.compare import Board, critical_differences
from zsadbench.compare.frame import GROUP, HEADINGS, MEASURED
from zsadbench.compare.groups import group_of
from zsadbench.printing import one_line
from zsadbench_reports.critical import critical_difference_svg
from zsadbench_reports.html.costs import TradeOff
from zsadbench_reports.html.pareto import Point, front
from zsadbench_reports.html.series import COUNT, MARKERS, Series, Style
from zsadbench_reports.html.svg import LINE, MUTED, SERIES, TEXT, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LONGEST, WIDE = 34, 24  # characters of a name, and those that fit to the right of a dot in the right half
KEY = (
    "Area of a mark: {memory}. Full marks: no other method is as good in all three. Line: the best accuracy in a time."
)
SMALLEST, LARGEST = 40.0, 420.0  # areas of dots, in square points


class Figure(NamedTuple):
    """A figure of the page: the drawing and its caption."""

    svg: Markup
    caption: str


def tradeoff_figure(tradeoff: TradeOff, key: str, kind: str, series: Series) -> Figure:
    """Accuracy over milliseconds per image, one panel per metric; the area of a mark is its memory.

    `kind` is that of the numbers in the keys of `series`.
    """
    names = dict.fromkeys(point.name for _, points in tradeoff.panels for point in points)
    styles = {name: series.get((kind, name), Style(place, name)) for place, name in enumerate(names)}

    def paint(canvas: Canvas) -> None:
        for axes, (heading, points) in zip(_panels(canvas, len(tradeoff.panels)), tradeoff.panels, strict=True):
            _scatter(axes, heading, points, styles)

    size = (3.7 * len(tradeoff.panels), 2.9)
    svg = drawing(key, f"{tradeoff.title}. {_description(tradeoff)}", size, paint)
    return Figure(svg, f"{tradeoff.title}. {KEY.format(memory=tradeoff.memory)}")


def _panels(canvas: Canvas, count: int) -> list[Axes]:
    return [canvas.add_subplot(1, count, number) for number in range(1, count + 1)]


def _mark(axes: Axes, at: Sequence[tuple[float, float]], number: int, area: float, *, full: bool = True) -> None:
    """Draw the marker of a method in its colour at each of `at`, full or as an outline."""
    from matplotlib.path import Path

    colour, corners = SERIES[number % COUNT], MARKERS[number % COUNT]
    marker = Path([*corners, corners[0]], closed=True)
    across, up = zip(*at, strict=True)
    axes.scatter(
        across,
        up,
        s=area,
        marker=marker,
        facecolor=colour if full else "none",
        edgecolor=colour,
        alpha=0.85,
    )


def _scatter(axes: Axes, heading: str, points: Sequence[Point], styles: Mapping[str, Style]) -> None:
    best, most = front(points), max((point.memory or 0.0 for point in points), default=0.0)
    steps = front([point._replace(memory=None) for point in points])
    times, accuracies = [point.milliseconds for point in steps], [point.accuracy for point in steps]
    axes.step(times, accuracies, where="post", color=MUTED, lw=1)
    for point in points:
        at = (point.milliseconds, point.accuracy)
        _mark(axes, [at], styles[point.name].number, _area(point, most), full=point in best)
    axes.set(title=heading, xlabel="ms per image")
    axes.margins(y=0.22)
    axes.set_xlim(0, 1.6 * max(point.milliseconds for point in points))
    _names(axes, [point._replace(name=styles[point.name].label) for point in points], most)


def _area(point: Point, most: float) -> float:
    return SMALLEST + (LARGEST - SMALLEST) * (point.memory or 0.0) / most if most else SMALLEST


def _names(axes: Axes, points: Sequence[Point], most: float) -> None:
    """Write names and memories next to the dots, from the best method down, moved down where two would overlap."""
    (_, end), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: -point.accuracy):
        near = [height for start, height in taken if abs(start - point.milliseconds) < 0.45 * end]
        below = [height - 0.07 * (top - bottom) for height in near]
        height = min([point.accuracy, *(height for height in below if height < point.accuracy)])
        taken.append((point.milliseconds, height))
        memory = "" if point.memory is None else f", {point.memory / 1024:.1f} GiB"
        text = f"{shortened(point.name)}{memory}{'' if point.comparable else ' †'}"
        radius, at = math.sqrt(_area(point, most) / math.pi) + 3, (point.milliseconds, height)
        over = len(text) > WIDE and point.milliseconds > end / 2
        away, ha, va = ((0.0, radius), "center", "bottom") if over else ((radius, 0.0), "left", "center")
        axes.annotate(
            text, at, away, textcoords="offset points", ha=ha, va=va, fontsize=8, color=TEXT, annotation_clip=False
        )


def _description(tradeoff: TradeOff) -> str:
    """The points of a figure as text, for readers who do not see it."""
    texts = []
    for heading, points in tradeoff.panels:
        listed = [f"{point.name} {point.accuracy:.1f} at {point.milliseconds:.1f} ms" for point in points]
        texts.append(f"{heading}: {', '.join(listed)}.")
    return " ".join(texts)


def seed_figures(board: Board, series: Series) -> list[Figure]:
    """One figure per comparability group with several seeds: the distance of each seed from the mean over seeds."""
    grouped = board.measured.groupby(GROUP, sort=False)
    figures = [_seed_figure(board, rows, number, series) for number, (_, rows) in enumerate(grouped, start=1)]
    return [figure for figure in figures if figure is not None]


def _seed_figure(board: Board, rows: pd.DataFrame, number: int, series: Series) -> Figure | None:
    """The figure of one group; None where no entry has several seeds."""
    group = group_of(board, rows)
    metrics = [metric for metrics in group.levels.values() for metric in metrics]
    rows = rows[(rows["class"] == "mean") & rows["metric"].isin(metrics)]
    means = [
        group.scores[key] for key in zip(rows["entry"], rows["target"], rows["class"], rows["metric"], strict=True)
    ]
    distances = rows.assign(
        points=[
            100 * (value - score.value) if score.value is not None and score.seeds > 1 else float("nan")
            for value, score in zip(rows["value"], means, strict=True)
        ]
    ).dropna(subset=["points"])
    if distances.empty:
        return None
    shown = [metric for metric in metrics if metric in set(distances["metric"])]
    entries = {name: series[MEASURED, name] for name in dict.fromkeys(distances["entry"])}
    svg = drawing(
        f"seeds-{number}",
        _largest_distances(distances, shown),
        (8.6, 0.95 + 0.32 * len(entries)),
        lambda canvas: _strips(canvas, distances, shown, entries),
    )
    return Figure(
        svg,
        f"Measured: {group.name}. A mark is one seed on one data set: its distance from their mean, in points.",
    )


def _strips(canvas: Canvas, distances: pd.DataFrame, metrics: Sequence[str], entries: Mapping[str, Style]) -> None:
    for number, axes in enumerate(_panels(canvas, len(metrics))):
        of_metric = distances[distances["metric"] == metrics[number]]
        for line, (entry, style) in enumerate(entries.items()):
            points = of_metric.loc[of_metric["entry"] == entry, "points"]
            if len(points):
                _mark(axes, [(value, line) for value in points], style.number, 22.0)
        axes.set_ylim(len(entries) - 0.5, -0.5)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_title(HEADINGS.get(metrics[number], metrics[number]))
        axes.set(xlabel="points", ylabel="")
        axes.yaxis.grid(visible=True, color=LINE)
        axes.set_yticks(
            range(len(entries)),
            [shortened(style.label) for style in entries.values()] if number == 0 else [""] * len(entries),
        )


def _largest_distances(distances: pd.DataFrame, metrics: Sequence[str]) -> str:
    """The largest distance per entry and metric as text, for readers who do not see the figure."""
    parts = [
        f"{entry}, {HEADINGS.get(metric, metric)}: {of_entry['points'].abs().max():.1f}"
        for metric in metrics
        for entry, of_entry in distances[distances["metric"] == metric].groupby("entry", sort=False)
    ]
    return f"Largest distance of a seed from the mean over seeds, in points: {'; '.join(parts)}."


def rank_figures(board: Board) -> list[Figure]:
    """The critical-difference diagram of every comparison for which there is a test."""
    return [
        Figure(Markup(critical_difference_svg(result)), comparison.caption)  # noqa: S704 - its texts are escaped
        for comparison, result in critical_differences(board)
        if result.p is not None
    ]


def shortened(name: str) -> str:
    """A name on one line, cut to the length that fits into a figure."""
    shown = one_line(name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
