"""The drawings of the page that need no script: accuracy against cost, and how far seeds lie apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from markupsafe import Markup

from zsadbench.compare import Board, critical_differences
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import GROUP, group_of
from zsadbench.printing import one_line
from zsadbench_reports.critical import critical_difference_svg
from zsadbench_reports.html.costs import Trade
from zsadbench_reports.html.pareto import Point, front
from zsadbench_reports.html.svg import LINE, MUTED, SERIES, TEXT, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST, WIDE = 34, 24  # letters of a name in a drawing, and those that fit beside a dot on the right
KEY = "Area of a dot: {memory}. Full dots: no other method is as good in all three. Line: the best accuracy in a time."
SMALLEST, LARGEST = 40.0, 420.0  # areas of dots, in square points


class Drawn(NamedTuple):
    """A drawing and the line below it."""

    svg: Markup
    caption: str


def trade_figure(trade: Trade, key: str) -> Drawn:
    """Accuracy over milliseconds an image, a panel a metric; the area of a dot is its memory."""

    def paint(figure: Figure) -> None:
        for axes, (heading, points) in zip(_row(figure, len(trade.panels)), trade.panels, strict=True):
            _scatter(axes, heading, points)

    drawn = drawing(key, f"{trade.title}. {_spoken(trade)}", (3.7 * len(trade.panels), 2.9), paint)
    return Drawn(
        drawn,
        f"{trade.title}. {KEY.format(memory=trade.memory)}",
    )


def _row(figure: Figure, count: int) -> list[Axes]:
    return [figure.add_subplot(1, count, place) for place in range(1, count + 1)]


def _scatter(axes: Axes, heading: str, points: Sequence[Point]) -> None:
    best, most = front(points), max((point.memory or 0.0 for point in points), default=0.0)
    steps = front([point._replace(memory=None) for point in points])
    axes.step([one.milliseconds for one in steps], [one.accuracy for one in steps], where="post", color=SERIES[0], lw=1)
    for point in points:
        inside = SERIES[0] if point in best else "none"
        place = (point.milliseconds, point.accuracy)
        axes.scatter(*place, s=_area(point, most), facecolor=inside, edgecolor=SERIES[0], alpha=0.85)
    axes.set(title=heading, xlabel="ms an image")
    axes.margins(y=0.22)
    axes.set_xlim(0, 1.6 * max(point.milliseconds for point in points))
    _names(axes, points, most)


def _area(point: Point, most: float) -> float:
    return SMALLEST + (LARGEST - SMALLEST) * (point.memory or 0.0) / most if most else SMALLEST


def _names(axes: Axes, points: Sequence[Point], most: float) -> None:
    """Names and memories beside the dots, from the best down, moved down where two would lie on each other."""
    (_, end), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda one: -one.accuracy):
        near = [height for start, height in taken if abs(start - point.milliseconds) < 0.45 * end]
        below = [one - 0.07 * (top - bottom) for one in near]
        height = min([point.accuracy, *(one for one in below if one < point.accuracy)])
        taken.append((point.milliseconds, height))
        memory = "" if point.memory is None else f", {point.memory / 1024:.1f} GiB"
        text = f"{shortened(point.name)}{memory}{'' if point.comparable else ' †'}"
        radius, at = math.sqrt(_area(point, most) / math.pi) + 3, (point.milliseconds, height)
        over = len(text) > WIDE and point.milliseconds > end / 2
        away, ha, va = ((0.0, radius), "center", "bottom") if over else ((radius, 0.0), "left", "center")
        axes.annotate(
            text, at, away, textcoords="offset points", ha=ha, va=va, fontsize=8, color=TEXT, annotation_clip=False
        )


def _spoken(trade: Trade) -> str:
    return " ".join(
        f"{heading}: {', '.join(f'{one.name} {one.accuracy:.1f} at {one.milliseconds:.1f} ms' for one in points)}."
        for heading, points in trade.panels
    )


def seed_figures(board: Board) -> list[Drawn]:
    """A drawing for every comparability group with several seeds: each seed's distance from the mean of its run."""
    grouped = board.measured.groupby(GROUP, sort=False)
    return [drawn for number, (_, rows) in enumerate(grouped, start=1) for drawn in _seeds(board, rows, number)]


def _seeds(board: Board, rows: pd.DataFrame, number: int) -> Iterator[Drawn]:
    group = group_of(board, rows)
    metrics = [metric for metrics in group.levels.values() for metric in metrics]
    found = rows[(rows["class"] == "mean") & rows["metric"].isin(metrics)]
    means = [
        group.scores[key] for key in zip(found["entry"], found["target"], found["class"], found["metric"], strict=True)
    ]
    found = found.assign(
        points=[
            100 * (value - score.value) if score.value is not None and score.seeds > 1 else float("nan")
            for value, score in zip(found["value"], means, strict=True)
        ]
    ).dropna(subset=["points"])
    if found.empty:
        return
    shown = [metric for metric in metrics if metric in set(found["metric"])]
    entries = list(dict.fromkeys(found["entry"]))
    drawn = drawing(
        f"seeds-{number}",
        _spread(found, shown),
        (8.6, 0.95 + 0.32 * len(entries)),
        lambda figure: _strips(figure, found, shown, entries),
    )
    yield Drawn(
        drawn,
        f"Measured: {group.name}. A dot is one seed on one data set: its distance from the mean over seeds, in points.",
    )


def _strips(figure: Figure, found: pd.DataFrame, metrics: Sequence[str], entries: Sequence[str]) -> None:
    import seaborn

    for place, axes in enumerate(_row(figure, len(metrics))):
        here = found[found["metric"] == metrics[place]]
        seaborn.stripplot(
            here, x="points", y="entry", order=entries, color=SERIES[0], size=4.5, alpha=0.7, jitter=False, ax=axes
        )
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_title(HEADINGS.get(metrics[place], metrics[place]))
        axes.set(xlabel="points", ylabel="")
        axes.yaxis.grid(visible=True, color=LINE)
        axes.set_yticks(
            range(len(entries)), [shortened(name) for name in entries] if place == 0 else [""] * len(entries)
        )


def _spread(found: pd.DataFrame, metrics: Sequence[str]) -> str:
    parts = [
        f"{entry}, {HEADINGS.get(metric, metric)}: {here['points'].abs().max():.1f}"
        for metric in metrics
        for entry, here in found[found["metric"] == metric].groupby("entry", sort=False)
    ]
    return f"Largest distance of a seed from the mean over seeds, in points: {'; '.join(parts)}."


def rank_figures(board: Board) -> list[Drawn]:
    """The critical-difference diagram of every contest in which there is a test."""
    return [
        Drawn(Markup(critical_difference_svg(found)), contest.caption)  # noqa: S704 - an element with escaped texts
        for contest, found in critical_differences(board)
        if found.p is not None
    ]


def shortened(name: str) -> str:
    """A name as a drawing holds it."""
    shown = one_line(name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
