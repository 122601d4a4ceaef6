"""Accuracy against time and memory: the points of the cost figures.

A measured figure has the methods of one comparability group on one device, with the costs of `cost_tables`; records
whose methods shared an encoding are left out. A published figure has the times and accuracies of one paper. No figure
mixes measured and published costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from zsadbench.compare import Board, Cell
from zsadbench.compare.frame import HEADINGS, is_cost
from zsadbench.compare.groups import Group, groups
from zsadbench.compare.summary import Score, common_targets, target_means
from zsadbench.compare.tables.costs import DEVICE, DEVICE_MEMORY, HOST, TIME, cost_tables
from zsadbench_reports.html.pareto import Point

TIMES = {"inference_time_ms": 1.0, "inference_time_s": 1000.0}
MEMORIES = {"inference_memory_GB": 1024.0, "training_memory_MiB": 1.0}
Cost = tuple[float, float | None]  # milliseconds per image; memory in MiB, None where unknown
Panel = tuple[str, list[Point]]  # heading and points


class TradeOff(NamedTuple):
    """One figure: its title, its panels, and the kind of memory, such as `peak memory`."""

    title: str
    panels: list[Panel]
    memory: str


def measured_tradeoffs(board: Board) -> list[TradeOff]:
    """One figure per comparability group, device and domain in which a method was timed alone."""
    alone = replace(board, records=[(path, record) for path, record in board.records if not record.cost.get("shared")])
    costs_of = _costs_by_device(alone)
    return [
        tradeoff
        for group in groups(board)
        for device, costs in costs_of.items()
        for tradeoff in _of_group(board, group, device, costs)
    ]


def _costs_by_device(board: Board) -> Mapping[str, Mapping[str, Cost]]:
    """Device → entry → milliseconds per image and peak memory, from the table of costs."""
    costs: dict[str, dict[str, Cost]] = {}
    for table in cost_tables(board):
        for row in table.rows:
            cells = dict(zip(table.columns, row.cells, strict=True))
            time = _value(cells[TIME])
            memory = _value(cells[DEVICE_MEMORY]) or _value(cells[HOST])
            if time is not None:
                costs.setdefault(str(cells[DEVICE]), {})[row.label] = (time, memory)
    return costs


def _value(cell: Cell) -> float | None:
    return None if isinstance(cell, str) else cell[0].value


def _of_group(board: Board, group: Group, device: str, costs: Mapping[str, Cost]) -> Iterator[TradeOff]:
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        metrics = [*group.levels["image"][:1], *group.levels["pixel"][-1:]]
        panels = [_panel(board, group, targets, metric, costs) for metric in metrics]
        with_points = [panel for panel in panels if panel[1]]
        if with_points:
            yield TradeOff(f"{domain}; {group.name}; timed on {device}", with_points, "peak memory")


def _panel(board: Board, group: Group, targets: Sequence[str], metric: str, costs: Mapping[str, Cost]) -> Panel:
    """Means of the timed methods over their common data sets; numbers of one data set where they share none."""
    timed = [entry for entry in group.entries if entry in costs]
    rivals = [
        entry
        for entry in timed
        if any(_is_comparable(group.scores.get((entry, target, "mean", metric))) for target in targets)
    ]
    common = common_targets(group.scores, rivals, targets, [metric]) if rivals else []
    heading = HEADINGS.get(metric, metric)
    if common:
        means = target_means(group.scores, rivals, common, metric)
        shown = f"mean of {len(common)}" if len(common) > 1 else board.dataset(common[0]).title
        points = [Point(entry, 100 * value, *costs[entry]) for entry, value in means.items() if value is not None]
        return f"{heading}, {shown}", points
    return _panel_of_one_set(board, group, targets, metric, costs)


def _panel_of_one_set(
    board: Board, group: Group, targets: Sequence[str], metric: str, costs: Mapping[str, Cost]
) -> Panel:
    """The numbers of the first data set on which a timed method has one, comparable or not."""
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


def _is_comparable(score: Score | None) -> bool:
    return score is not None and score.value is not None and score.comparable


def published_tradeoffs(board: Board) -> list[TradeOff]:
    """One figure per paper that prints times, with its accuracies on the first data set of its tables."""
    return [
        tradeoff
        for paper, rows in board.published.groupby("source", sort=False)
        for tradeoff in _of_paper(board, str(paper), rows)
    ]


def _of_paper(board: Board, paper: str, rows: pd.DataFrame) -> Iterator[TradeOff]:
    costs: dict[tuple[str, str], Cost] = {}
    for (entry, variant), part in rows[rows["metric"].map(is_cost)].groupby(["entry", "variant"], sort=False):
        values = dict(zip(part["metric"], part["value"], strict=True))
        time = next((values[name] * scale for name, scale in TIMES.items() if name in values), None)
        memory = next((values[name] * scale for name, scale in MEMORIES.items() if name in values), None)
        if time is not None:
            costs[str(entry), str(variant)] = time, memory
    accuracies = rows[(rows["class"] == "mean") & (rows["shots"] == "0")]
    target = next((name for name in board.ordered(list(accuracies["target"])) if name), None)
    if costs and target is not None:
        on_target = accuracies[accuracies["target"] == target].drop_duplicates(["entry", "variant", "metric"])
        panels = [_printed_panel(board, on_target, target, metric, costs) for metric in ("image_auroc", "pixel_auroc")]
        kind = "training memory" if "training_memory_MiB" in set(rows["metric"]) else "memory"
        yield TradeOff(f"{board.papers[paper].label}, as printed", [panel for panel in panels if panel[1]], kind)


def _printed_panel(
    board: Board,
    rows: pd.DataFrame,
    target: str,
    metric: str,
    costs: Mapping[tuple[str, str], Cost],
) -> Panel:
    rows = rows[rows["metric"] == metric]
    points = [
        Point(str(entry), 100 * float(value), *costs[str(entry), str(variant)])
        for entry, variant, value in zip(rows["entry"], rows["variant"], rows["value"], strict=True)
        if (str(entry), str(variant)) in costs
    ]
    return f"{HEADINGS[metric]}, {board.dataset(target).title}", points
