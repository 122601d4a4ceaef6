"""Measured numbers as data of the page: one entry per comparability group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from zsadbench.compare import Board, Cell, Number, Row
from zsadbench.compare.citations import own_papers
from zsadbench.compare.frame import GROUP, MEASURED
from zsadbench.compare.groups import Group, group_of
from zsadbench.compare.labels import entry_label
from zsadbench.compare.measured import DECLARED
from zsadbench.compare.significance.rankings import rankings
from zsadbench.compare.tables.measured import main_table, number_of
from zsadbench_reports.html.cells import PrintedCell, printed_cell, without_empty


def measured_groups(board: Board) -> list[dict[str, Any]]:
    """The comparability groups of the board, in their order; `payload` lists their keys."""
    grouped = board.measured.groupby(GROUP, sort=False)
    return [_group(board, rows, number) for number, (_, rows) in enumerate(grouped, start=1)]


def _group(board: Board, rows: pd.DataFrame, number: int) -> dict[str, Any]:
    group = group_of(board, rows)
    metrics = list(dict.fromkeys(rows["metric"]))
    means = group._replace(scores={key: score for key, score in group.scores.items() if key[2] == "mean"})
    by_metric = {metric: _of_metric(board, means, metric) for metric in metrics}
    return {
        "id": f"measured-{number}",
        "kind": MEASURED,
        "title": group.name,
        "short": ", ".join(dict.fromkeys([*rows["protocol"], *rows["backbone"]])),
        "notes": list(group.notes),
        "targets": group.targets,
        "aupro": group.aupro,
        "rows": [_row(board, name, rows[rows["entry"] == name]) for name in group.entries],
        "cells": {metric: cells for metric, (cells, _) in by_metric.items()},
        "summary": {metric: lines for metric, (_, lines) in by_metric.items()},
        "classes": {target: _classes(group, target, metrics) for target in group.targets},
        "rankings": _rankings(board, group, metrics),
    }


def seed_order(seed: str) -> list[int]:
    """A key that sorts seeds as numbers, and by the seed of the support images where there is one.

    >>> sorted(["10", "2/1", "2/0"], key=seed_order)
    ['2/0', '2/1', '10']
    """
    return [int(part) for part in seed.split("/")]


def _row(board: Board, name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """An entry: its name, its seeds, and why its numbers are not comparable."""
    seeds = sorted(dict.fromkeys(rows["seed"]), key=seed_order)
    seeds_text = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
    declared = [DECLARED] if (rows["computed_by"] == DECLARED).any() else []
    about = [seeds_text, *declared, *(f"not comparable: {note}" for note in dict.fromkeys(rows["note"]) if note)]
    tag = ", ".join([seeds_text, *declared, *(["not comparable"] if rows["note"].any() else [])])
    protocols = list(dict.fromkeys(rows["protocol"]))
    method = str(rows["method"].iloc[0])
    row = {"name": name, "method": method, "tag": tag, "about": "; ".join(about), "protocols": protocols}
    return row | ({"label": label} if (label := entry_label(name, method, own_papers(board))) != name else {})


def _rankings(board: Board, group: Group, metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Metric → domain, or "" for all → data sets, whether tested, `rivals` of the best, `rows` (best first), `left`.

    A row is `[place of the entry, rank, printed mean, first and last possible rank]`, one that is not ranked
    `[place, reason]`.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in rankings(board, group, metrics):
        place = group.entries.index
        found.setdefault(one.metric, {})[one.domain] = {
            "sets": one.targets,
            "tested": one.tested,
            "rivals": [place(entry) for entry in one.rivals],
            "rows": [
                [
                    place(entry),
                    one.ranks[entry],
                    Number(100 * mean, digits=group.selection.decimals).text,
                    *one.intervals[entry],
                ]
                for entry, mean in one.means.items()
            ],
            "left": [[place(entry), reason] for entry, reason in one.left_out.items()],
        }
    return found


def _of_metric(board: Board, group: Group, metric: str) -> tuple[dict[str, list[PrintedCell]], dict[str, list[Any]]]:
    """Target → one cell per entry; domain → its rows of means and ranks. Both are taken from `main_table`."""
    pair = next((metrics for metrics in group.levels.values() if metric in metrics), (metric,))
    index = pair.index(metric)
    cells: dict[str, list[PrintedCell]] = {}
    summary: dict[str, list[Any]] = {}
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        summary[domain] = [
            {"label": row.label, "cells": [printed_cell(_number(cell, index)) for cell in row.cells]}
            for row in _rows(board, group, targets, pair)
            if row.summary
        ]
        for target in targets:
            row = next((row for row in _rows(board, group, [target], pair) if not row.summary), None)
            numbers = [Number()] * len(group.entries) if row is None else [_number(cell, index) for cell in row.cells]
            scores = [group.scores.get((entry, target, "mean", metric)) for entry in group.entries]
            cells[target] = [
                printed_cell(number, "" if score is None else score.reason)
                for number, score in zip(numbers, scores, strict=True)
            ]
    return cells, without_empty(summary)


def _rows(board: Board, group: Group, targets: list[str], metrics: tuple[str, ...]) -> Sequence[Row]:
    return main_table(board, group._replace(targets=targets, levels={"": metrics}), 1).rows


def _number(cell: Cell, index: int) -> Number:
    return Number() if isinstance(cell, str) else cell[index]


def _classes(group: Group, target: str, metrics: Sequence[str]) -> dict[str, Any]:
    """The classes of a target that any entry has: their names, and metric → class → one cell per entry."""
    names = list(dict.fromkeys(key[2] for key in group.scores if key[1] == target and key[2] != "mean"))
    was_run = [any((entry, target, "mean", metric) in group.scores for metric in metrics) for entry in group.entries]
    cells = {
        metric: [list(_class_cells(group, (target, name, metric), was_run)) for name in names] for metric in metrics
    }
    kept = {metric: rows for metric, rows in cells.items() if any(cell is not None for row in rows for cell in row)}
    return {"names": names, "cells": kept}


def _class_cells(group: Group, key: tuple[str, str, str], was_run: Sequence[bool]) -> Iterator[PrintedCell]:
    """One cell per entry for a target, class and metric; "not evaluated" where a run of the target lacks the class."""
    for entry, entry_was_run in zip(group.entries, was_run, strict=True):
        score = group.scores.get((entry, *key))
        yield printed_cell(number_of(score), score.reason if score else "not evaluated" if entry_was_run else "")
