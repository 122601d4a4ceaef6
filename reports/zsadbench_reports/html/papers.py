"""Published numbers as data of the page: one group per table of a paper, as it was printed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zsadbench.compare import Board, Number
from zsadbench.compare.frame import UNKNOWN
from zsadbench.compare.summary import marks
from zsadbench.compare.tables.published import BY_CLASS, HOW, PrintedTable, printed_tables
from zsadbench_reports.html.cells import OWN_AUPRO, PrintedCell, printed_cell

PUBLISHED = "published"
COMPUTED_BY = {"original": "by the paper itself", UNKNOWN: "computed by unknown"}


def paper_groups(board: Board) -> list[dict[str, Any]]:
    """Tables over data sets, then tables by class; best and second best are the paper's own comparison."""
    tables = printed_tables(board)
    main = [_main_group(board, table) for table in tables if table.kind == "main"]
    return [*main, *(_class_group(table) for table in tables if table.kind == "class")]


def _main_group(board: Board, table: PrintedTable) -> dict[str, Any]:
    rows = table.accuracies
    shots_text = rows["shots"].map(lambda count: "" if count == "0" else f", {count}-shot")
    rows = rows.assign(name=rows["entry"] + shots_text)
    names, targets = list(dict.fromkeys(rows["name"])), board.ordered(list(rows["target"]))
    metrics = list(dict.fromkeys(rows["metric"]))
    shots = dict(zip(rows["name"], rows["shots"], strict=True))
    values = dict(zip(zip(rows["name"], rows["target"], rows["metric"], strict=True), rows["value"] + 0.0, strict=True))
    cells = {
        _metric(metric): {target: _cells(values, shots, target, metric) for target in targets} for metric in metrics
    }
    return _group(table, targets, [_row(name, rows[rows["name"] == name]) for name in names], cells)


def _cells(
    values: dict[tuple[str, str, str], float], shots: dict[str, str], target: str, metric: str
) -> list[PrintedCell]:
    """One cell per entry; best and second best among entries with the same number of support images."""
    by_name = {name: values.get((name, target, metric)) for name in shots}
    marked: dict[str, str] = {}
    for count in dict.fromkeys(shots.values()):
        marked |= marks({name: value for name, value in by_name.items() if shots[name] == count})
    return [printed_cell(_percent(value, marked.get(name, ""))) for name, value in by_name.items()]


def _class_group(table: PrintedTable) -> dict[str, Any]:
    rows = table.rows
    entry, target = str(rows["entry"].iloc[0]), str(rows["target"].iloc[0])
    values = dict(zip(zip(rows["class"], rows["metric"], strict=True), rows["value"], strict=True))
    names = [str(name) for name in dict.fromkeys(rows["class"]) if name != "mean"]
    kept = [metric for metric in BY_CLASS if metric in set(rows["metric"])]
    cells = {
        _metric(metric): [[printed_cell(_percent(values.get((name, metric))))] for name in names] for metric in kept
    }
    means = {_metric(metric): [printed_cell(_percent(values.get(("mean", metric))))] for metric in kept}
    classes = {target: {"names": names, "cells": cells, "mean": means}}
    return _group(table, [target], [_row(entry, rows)], {}) | {"classes": classes}


def _group(
    table: PrintedTable, targets: list[str], rows: list[dict[str, Any]], cells: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": table.key,
        "kind": PUBLISHED,
        "title": table.caption,
        "short": f"{table.about.label}, Table {table.number}" + (f", {table.part}" if table.part else ""),
        "notes": list(table.notes),
        "targets": targets,
        "aupro": OWN_AUPRO,
        "rows": rows,
        "cells": cells,
        "summary": {},
        "classes": {},
    }


def _row(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """An entry: its name, who computed its numbers, and how as far as it is known."""
    fields = {title: [value for value in dict.fromkeys(rows[field]) if value] for field, title in HOW.items()}
    known = [f"{title} {', '.join(values)}" for title, values in fields.items() if values and values != [UNKNOWN]]
    unknown = [title for title, values in fields.items() if values == [UNKNOWN]]
    who = ", ".join(COMPUTED_BY.get(by, by) for by in dict.fromkeys(rows["computed_by"]))
    about = [who, *known, *([f"unknown: {', '.join(unknown)}"] if unknown else [])]
    protocols, method = list(dict.fromkeys(rows["protocol"])), str(rows["method"].iloc[0])
    return {"name": name, "method": method, "tag": who, "about": "; ".join(about), "protocols": protocols}


def _metric(name: str) -> str:
    """The key of a printed metric on the page: one key for all variants of AUPRO."""
    return OWN_AUPRO if name == "pixel_aupro" else name


def _percent(value: float | None, mark: str = "") -> Number:
    return Number(None if value is None else 100 * value, mark=mark)
