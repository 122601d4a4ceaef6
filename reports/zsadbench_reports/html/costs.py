"""Accuracy against time and memory: what is set side by side in one drawing.

Measured: methods of one comparability group on one device, their cost as `cost_tables` has it, their accuracy the
board's. Published: one paper's times beside the same paper's accuracies. A cost that several methods shared is
nobody's, and measured and published costs never meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from zsadbench.compare import Board, Number
from zsadbench.compare.frame import HEADINGS, is_cost
from zsadbench.compare.groups import Group, groups
from zsadbench.compare.published import papers
from zsadbench.compare.summary import Score, common_targets, target_means
from zsadbench.compare.tables.costs import cost_tables
from zsadbench_reports.html.pareto import Point

TIMES = {"inference_time_ms": 1.0, "inference_time_s": 1000.0}
MEMORIES = {"inference_memory_GB": 1024.0, "training_memory_MiB": 1.0}
Costs = Mapping[str, tuple[float, float | None]]


class Trade(NamedTuple):
    """One drawing: panels of (heading, points), and what the memory is the memory of."""

    title: str
    panels: list[tuple[str, list[Point]]]
    memory: str


def measured_trades(board: Board) -> list[Trade]:
    """A drawing for every comparability group, device and domain in which a method was timed alone."""
    alone = replace(board, records=[(path, one) for path, one in board.records if not one.cost.get("shared")])
    devices = _costs(alone)
    return [
        trade
        for group in groups(board)
        for device, costs in devices.items()
        for trade in _trades(board, group, device, costs)
    ]


def _costs(board: Board) -> Mapping[str, Costs]:
    """Device → entry → milliseconds an image and peak memory, as the table of costs prints them."""
    found: dict[str, dict[str, tuple[float, float | None]]] = {}
    for table in cost_tables(board):
        for row in table.rows:
            cells = dict(zip(table.columns, row.cells, strict=True))
            time = _value(cells["ms an image"])
            memory = _value(cells["device [MiB]"]) or _value(cells["host [MiB]"])
            if time is not None:
                found.setdefault(str(cells["device"]), {})[row.label] = (time, memory)
    return found


def _value(cell: tuple[Number, ...] | str) -> float | None:
    return None if isinstance(cell, str) else cell[0].value


def _trades(board: Board, group: Group, device: str, costs: Costs) -> Iterator[Trade]:
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        panels = [
            _panel(board, group, targets, metrics[place], costs)
            for place, metrics in ((0, group.levels["image"]), (1, group.levels["pixel"]))
        ]
        kept = [panel for panel in panels if panel[1]]
        if kept:
            yield Trade(f"{domain}; {group.name}; timed on {device}", kept, "peak memory")


def _panel(board: Board, group: Group, targets: Sequence[str], metric: str, costs: Costs) -> tuple[str, list[Point]]:
    """Means over the common data sets of the methods that were timed; of one data set where they share none."""
    timed = [entry for entry in group.entries if entry in costs]
    rivals = [
        entry
        for entry in timed
        if any(_usable(group.scores.get((entry, target, "mean", metric))) for target in targets)
    ]
    common = common_targets(group.scores, rivals, targets, [metric]) if rivals else []
    heading = HEADINGS.get(metric, metric)
    if common:
        means = target_means(group.scores, rivals, common, metric)
        shown = f"mean of {len(common)}" if len(common) > 1 else board.dataset(common[0]).title
        points = [Point(entry, 100 * value, *costs[entry]) for entry, value in means.items() if value is not None]
        return f"{heading}, {shown}", points
    return _alone(board, group, targets, metric, costs)


def _alone(board: Board, group: Group, targets: Sequence[str], metric: str, costs: Costs) -> tuple[str, list[Point]]:
    """The first data set on which timed methods have a number, comparable or not; nothing is averaged."""
    for target in targets:
        scores = {entry: group.scores.get((entry, target, "mean", metric)) for entry in group.entries if entry in costs}
        points = [
            Point(entry, 100 * score.value, *costs[entry], score.comparable)
            for entry, score in scores.items()
            if score is not None and score.value is not None
        ]
        if points:
            return f"{HEADINGS.get(metric, metric)}, {board.dataset(target).title}", points
    return HEADINGS.get(metric, metric), []


def _usable(score: Score | None) -> bool:
    return score is not None and score.value is not None and score.comparable


def published_trades(board: Board) -> list[Trade]:
    """A drawing for every paper that prints times: beside its own accuracies, on the first data set that has both."""
    return [
        trade
        for paper, rows in board.published.groupby("source", sort=False)
        for trade in _printed(board, str(paper), rows)
    ]


def _printed(board: Board, paper: str, rows: pd.DataFrame) -> Iterator[Trade]:
    costs: dict[tuple[str, str], tuple[float, float | None]] = {}
    for (entry, variant), part in rows[rows["metric"].map(is_cost)].groupby(["entry", "variant"], sort=False):
        values = dict(zip(part["metric"], part["value"], strict=True))
        time = next((values[name] * scale for name, scale in TIMES.items() if name in values), None)
        memory = next((values[name] * scale for name, scale in MEMORIES.items() if name in values), None)
        if time is not None:
            costs[str(entry), str(variant)] = time, memory
    accuracies = rows[(rows["class"] == "mean") & (rows["shots"] == "0")]
    target = next((one for one in board.ordered(list(accuracies["target"])) if one), None)
    if costs and target is not None:
        here = accuracies[accuracies["target"] == target].drop_duplicates(["entry", "variant", "metric"])
        panels = [_printed_panel(board, here, target, metric, costs) for metric in ("image_auroc", "pixel_auroc")]
        kind = "training memory" if "training_memory_MiB" in set(rows["metric"]) else "memory"
        yield Trade(f"{papers()[paper]['label']}, as printed", [panel for panel in panels if panel[1]], kind)


def _printed_panel(
    board: Board,
    rows: pd.DataFrame,
    target: str,
    metric: str,
    costs: Mapping[tuple[str, str], tuple[float, float | None]],
) -> tuple[str, list[Point]]:
    found = rows[rows["metric"] == metric]
    points = [
        Point(str(entry), 100 * float(value), *costs[str(entry), str(variant)])
        for entry, variant, value in zip(found["entry"], found["variant"], found["value"], strict=True)
        if (str(entry), str(variant)) in costs
    ]
    return f"{HEADINGS[metric]}, {board.dataset(target).title}", points
