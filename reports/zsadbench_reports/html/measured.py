"""Measured numbers as the page's board holds them: one group for each set of runs that may be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from zsadbench.compare import Board, Number, Row
from zsadbench.compare import Cell as TableCell
from zsadbench.compare.frame import MEASURED
from zsadbench.compare.groups import GROUP, Group, group_of
from zsadbench.compare.tables.measured import main_table, number_of
from zsadbench_reports.html.cells import Cell, any_number, cell, without_empty


def measured_groups(board: Board) -> list[dict[str, Any]]:
    """The comparability groups of the records, in their order; `payload` lists the keys."""
    grouped = board.measured.groupby(GROUP, sort=False)
    return [_group(board, rows, number) for number, (_, rows) in enumerate(grouped, start=1)]


def _group(board: Board, rows: pd.DataFrame, number: int) -> dict[str, Any]:
    group = group_of(board, rows)
    metrics = list(dict.fromkeys(rows["metric"]))
    whole = group._replace(scores={key: score for key, score in group.scores.items() if key[2] == "mean"})
    found = {metric: _of_metric(board, whole, metric) for metric in metrics}
    return {
        "id": f"measured-{number}",
        "kind": MEASURED,
        "title": group.name,
        "short": ", ".join(dict.fromkeys([*rows["protocol"], *rows["backbone"]])),
        "notes": list(group.notes),
        "targets": group.targets,
        "aupro": group.levels["pixel"][1],
        "rows": [_row(name, rows[rows["entry"] == name]) for name in group.entries],
        "cells": {metric: cells for metric, (cells, _) in found.items()},
        "summary": {metric: lines for metric, (_, lines) in found.items()},
        "classes": {target: _classes(group, target, metrics) for target in group.targets},
    }


def seed_order(seed: str) -> list[int]:
    """The seed, and that of the supports where there are any, as numbers.

    >>> sorted(["10", "2/1", "2/0"], key=seed_order)
    ['2/0', '2/1', '10']
    """
    return [int(part) for part in seed.split("/")]


def _row(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What stands beside an entry's name: its seeds, and why its numbers are not comparable."""
    seeds = sorted(dict.fromkeys(rows["seed"]), key=seed_order)
    ran = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
    about = [ran, *(f"not comparable: {note}" for note in dict.fromkeys(rows["note"]) if note)]
    tag = ran if len(about) == 1 else f"{ran}, not comparable"
    protocols = list(dict.fromkeys(rows["protocol"]))
    return {"name": name, "tag": tag, "about": "; ".join(about), "protocols": protocols}


def _of_metric(board: Board, group: Group, metric: str) -> tuple[dict[str, list[Cell]], dict[str, list[Any]]]:
    """Target → cells, one an entry; domain → its lines of means and ranks. Pairs are taken as tables take them."""
    pair = next((metrics for metrics in group.levels.values() if metric in metrics), (metric,))
    place = pair.index(metric)
    cells: dict[str, list[Cell]] = {}
    summary: dict[str, list[Any]] = {}
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        summary[domain] = [
            {"label": row.label, "cells": [cell(_number(part, place)) for part in row.cells]}
            for row in _lines(board, group, targets, pair)
            if row.summary
        ]
        for target in targets:
            line = next((row for row in _lines(board, group, [target], pair) if not row.summary), None)
            numbers = [Number()] * len(group.entries) if line is None else [_number(one, place) for one in line.cells]
            cells[target] = [
                cell(one, reason) for one, reason in zip(numbers, _reasons(group, target, metric), strict=True)
            ]
    return cells, without_empty(summary)


def _lines(board: Board, group: Group, targets: list[str], metrics: tuple[str, ...]) -> Sequence[Row]:
    return main_table(board, group._replace(targets=targets, levels={"": metrics}), 1).rows


def _number(part: TableCell, place: int) -> Number:
    return Number() if isinstance(part, str) else part[place]


def _reasons(group: Group, target: str, metric: str) -> Iterator[str]:
    for entry in group.entries:
        score = group.scores.get((entry, target, "mean", metric))
        yield "" if score is None else score.reason


def _classes(group: Group, target: str, metrics: Sequence[str]) -> dict[str, Any]:
    """The classes of a target that any entry has: their names, and metric → class → cells, one an entry."""
    names = list(dict.fromkeys(key[2] for key in group.scores if key[1] == target and key[2] != "mean"))
    ran = [any((entry, target, "mean", metric) in group.scores for metric in metrics) for entry in group.entries]
    cells = {metric: [list(_class_cells(group, (target, name, metric), ran)) for name in names] for metric in metrics}
    kept = {metric: rows for metric, rows in cells.items() if any(any_number(row) for row in rows)}
    return {"names": names, "cells": kept}


def _class_cells(group: Group, place: tuple[str, str, str], ran: Sequence[bool]) -> Iterator[Cell]:
    """A class that a run of this target does not hold is not evaluated, which is no zero."""
    for entry, here in zip(group.entries, ran, strict=True):
        score = group.scores.get((entry, *place))
        yield cell(number_of(score), score.reason if score else "not evaluated" if here else "")
