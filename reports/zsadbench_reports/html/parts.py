"""Breakdowns as data of the page: means over classes from the tables of the report, and parts of single classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare import Cell, Number, Row, Table
from zsadbench.compare.summary import Key, Score, marks, over_seeds
from zsadbench.compare.tables.breakdown import KINDS, PAIRS
from zsadbench.compare.tables.measured import number_of
from zsadbench_reports.html.cells import PrintedCell, printed_cell

DEFECT = "defect="  # a type of defect belongs to one class
KIND_OF_TITLE = {title: kind for kind, title in KINDS.items()}
Lines = list[dict[str, Any]]  # `{part, images, prevalence, cells}`: texts, and metric → one cell per entry


class ClassPart(NamedTuple):
    """One part of one class in one record; `content` is its content in the sidecar."""

    entry: str
    target: str
    name: str
    part: str
    content: Mapping[str, Any]
    comparable: bool


def mean_lines(tables: Sequence[Table], number: int, target: str, entries: Sequence[str]) -> Lines:
    """The means over classes of one data set in the group `number`, with all metrics of a part in one line."""
    lines: dict[str, dict[str, Any]] = {}
    for table in tables:
        first = table.key.removeprefix(f"parts-{number}-{target}-")
        pair = next((pair for pair in PAIRS if first in pair), ())
        for row in table.rows if pair else ():
            part = f"{KIND_OF_TITLE[row.block]}={row.label}"
            if part.startswith(DEFECT):
                continue
            images, prevalence = (_numbers(cell)[0].text for cell in row.cells[:2])
            line = lines.setdefault(part, {"part": part, "images": images, "prevalence": prevalence, "cells": {}})
            line["cells"] |= _row_cells(row, table.columns[2:], pair[pair.index(first) :], entries)
    return sorted(lines.values(), key=lambda line: list(KINDS).index(line["part"].partition("=")[0]))


def _row_cells(
    row: Row, columns: Sequence[str], metrics: Sequence[str], entries: Sequence[str]
) -> dict[str, list[PrintedCell]]:
    """Metric → one cell per entry, from the row of a table."""
    by_entry = dict(zip(columns, map(_numbers, row.cells[2:]), strict=True))
    count = max(map(len, by_entry.values()))
    cells = {
        metric: [printed_cell(by_entry[entry][index]) if entry in by_entry else None for entry in entries]
        for index, metric in enumerate(metrics[:count])
    }
    return {metric: of_metric for metric, of_metric in cells.items() if any(of_metric)}


def _numbers(cell: Cell) -> tuple[Number, ...]:
    return () if isinstance(cell, str) else cell


def class_lines(parts: Sequence[ClassPart], entries: Sequence[str]) -> Lines:
    """The parts of one class, averaged over seeds; best and second best are marked among comparable numbers."""
    rows = [row for part in parts for row in _rows(part)]
    scores = over_seeds(pd.DataFrame(rows)) if rows else {}
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    lines = []
    for part in {part.part: part for part in reversed(parts)}.values():
        cells = {metric: _score_cells(scores, part, metric, entries) for metric in metrics}
        share = part.content["prevalence"]
        prevalence = Number(None if share is None else 100 * share, digits=2).text
        facts = {"part": part.part, "images": str(part.content["images"]), "prevalence": prevalence}
        lines.append(facts | {"cells": {metric: of_metric for metric, of_metric in cells.items() if any(of_metric)}})
    return sorted(lines, key=lambda line: line["part"])


def _rows(part: ClassPart) -> Iterator[dict[str, Any]]:
    """Rows as `over_seeds` takes them, with the part as the class."""
    for metric, value in part.content["metrics"].items():
        yield {
            "entry": part.entry,
            "target": part.target,
            "class": part.part,
            "metric": metric,
            "value": float("nan") if value is None else value,
            "comparable": part.comparable,
            "reason": part.content["undefined"].get(metric, ""),
        }


def _score_cells(
    scores: Mapping[Key, Score], part: ClassPart, metric: str, entries: Sequence[str]
) -> list[PrintedCell]:
    by_entry = {entry: scores.get((entry, part.target, part.part, metric)) for entry in entries}
    best = marks({entry: score.value for entry, score in by_entry.items() if score is not None and score.comparable})
    return [
        printed_cell(number_of(score, best.get(entry, "")), "" if score is None else score.reason)
        for entry, score in by_entry.items()
    ]
