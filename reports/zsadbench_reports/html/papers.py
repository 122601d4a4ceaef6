"""Published numbers as the page's board holds them: one group for each table of a paper, as it was printed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zsadbench.compare import Board, Number
from zsadbench.compare.frame import UNKNOWN
from zsadbench.compare.published import papers
from zsadbench.compare.summary import marks
from zsadbench.compare.tables.published import BY_CLASS, Printed, printed_tables
from zsadbench_reports.html.cells import OWN_AUPRO, Cell, cell

PUBLISHED = "published"
SAID = {"original": "by the paper itself", UNKNOWN: "computed by unknown"}
ABOUT = {"protocol": "protocol", "aupro": "AUPRO", "split": "split", "smoothing": "smoothing", "backbone": "backbone"}


def paper_groups(board: Board) -> list[dict[str, Any]]:
    """Tables over data sets, then tables by class; best and second are the paper's own comparison."""
    tables = printed_tables(board)
    main = [_main(board, one) for one in tables if one.kind == "main"]
    return [*main, *(_by_class(one) for one in tables if one.kind == "class")]


def _main(board: Board, one: Printed) -> dict[str, Any]:
    rows = one.rows.assign(name=one.rows["entry"] + one.rows["shots"].map(_shots))
    names, targets = list(dict.fromkeys(rows["name"])), board.ordered(list(rows["target"]))
    metrics = list(dict.fromkeys(rows["metric"]))
    shots = dict(zip(rows["name"], rows["shots"], strict=True))
    values = dict(zip(zip(rows["name"], rows["target"], rows["metric"], strict=True), rows["value"] + 0.0, strict=True))
    cells = {
        _metric(metric): {target: _cells(values, shots, target, metric) for target in targets} for metric in metrics
    }
    return _group(one, targets, [_row(name, rows[rows["name"] == name]) for name in names], cells)


def _cells(values: dict[tuple[str, str, str], float], shots: dict[str, str], target: str, metric: str) -> list[Cell]:
    """One cell an entry; best and second among those with as many support images."""
    found = {name: values.get((name, target, metric)) for name in shots}
    marked: dict[str, str] = {}
    for count in dict.fromkeys(shots.values()):
        marked |= marks({name: value for name, value in found.items() if shots[name] == count})
    return [cell(_percent(value, marked.get(name, ""))) for name, value in found.items()]


def _by_class(one: Printed) -> dict[str, Any]:
    entry, target = str(one.rows["entry"].iloc[0]), str(one.rows["target"].iloc[0])
    values = dict(zip(zip(one.rows["class"], one.rows["metric"], strict=True), one.rows["value"], strict=True))
    names = [str(name) for name in dict.fromkeys(one.rows["class"]) if name != "mean"]
    kept = [metric for metric in BY_CLASS if metric in set(one.rows["metric"])]
    cells = {_metric(metric): [[cell(_percent(values.get((name, metric))))] for name in names] for metric in kept}
    means = {_metric(metric): [cell(_percent(values.get(("mean", metric))))] for metric in kept}
    classes = {target: {"names": names, "cells": cells, "mean": means}}
    return _group(one, [target], [_row(entry, one.rows)], {}) | {"classes": classes}


def _group(one: Printed, targets: list[str], rows: list[dict[str, Any]], cells: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": one.key,
        "kind": PUBLISHED,
        "title": one.caption,
        "short": f"{papers()[one.paper]['label']}, Table {one.number}",
        "notes": list(one.notes),
        "targets": targets,
        "aupro": OWN_AUPRO,
        "rows": rows,
        "cells": cells,
        "summary": {},
        "classes": {},
    }


def _row(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What stands beside an entry's name: who computed its numbers, and what is known of how."""
    found = {title: [one for one in dict.fromkeys(rows[field]) if one] for field, title in ABOUT.items()}
    known = [f"{title} {', '.join(values)}" for title, values in found.items() if values and values != [UNKNOWN]]
    unknown = [title for title, values in found.items() if values == [UNKNOWN]]
    who = ", ".join(SAID.get(by, by) for by in dict.fromkeys(rows["computed_by"]))
    about = [who, *known, *([f"unknown: {', '.join(unknown)}"] if unknown else [])]
    return {"name": name, "tag": who, "about": "; ".join(about), "protocols": list(dict.fromkeys(rows["protocol"]))}


def _metric(name: str) -> str:
    """A printed AUPRO goes by one name, whatever its variant."""
    return OWN_AUPRO if name == "pixel_aupro" else name


def _shots(count: str) -> str:
    return "" if count == "0" else f", {count}-shot"


def _percent(value: float | None, mark: str = "") -> Number:
    return Number(None if value is None else 100 * value, mark=mark)
