"""Breakdowns: means over classes as the tables of every format have them, and the parts of single classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare import Cell as TableCell
from zsadbench.compare import Number, Row, Table
from zsadbench.compare.summary import Key, Score, marks, over_seeds
from zsadbench.compare.tables.breakdown import KINDS, PAIRS
from zsadbench.compare.tables.measured import number_of
from zsadbench_reports.html.cells import Cell, cell

DEFECT = "defect="  # a type of defect belongs to one class
Lines = list[dict[str, Any]]  # `{part, images, prevalence, cells}`: texts, and metric → one cell an entry


class Part(NamedTuple):
    """One part of one class in one record; `content` as the sidecar has it."""

    entry: str
    target: str
    name: str
    part: str
    content: Mapping[str, Any]
    comparable: bool


def mean_lines(tables: Sequence[Table], number: int, target: str, entries: Sequence[str]) -> Lines:
    """The means over classes of one data set in the group `number`, all metrics of a part in one line."""
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        first = table.key.removeprefix(f"parts-{number}-{target}-")
        pair = next((pair for pair in PAIRS if first in pair), ())
        for row in table.rows if pair else ():
            part = f"{_kind(row)}={row.label}"
            if not part.startswith(DEFECT):
                line = found.setdefault(part, {"part": part} | _facts(row) | {"cells": {}})
                line["cells"] |= _row_cells(row, table.columns[2:], pair[pair.index(first) :], entries)
    return sorted(found.values(), key=lambda line: list(KINDS).index(line["part"].partition("=")[0]))


def _kind(row: Row) -> str:
    return next(kind for kind, title in KINDS.items() if title == row.block)


def _facts(row: Row) -> dict[str, str]:
    images, prevalence = (_numbers(part)[0].text for part in row.cells[:2])
    return {"images": images, "prevalence": prevalence}


def _row_cells(
    row: Row, columns: Sequence[str], metrics: Sequence[str], entries: Sequence[str]
) -> dict[str, list[Cell]]:
    by_entry = dict(zip(columns, map(_numbers, row.cells[2:]), strict=True))
    count = max(map(len, by_entry.values()))
    cells = {
        metric: [cell(by_entry[entry][place]) if entry in by_entry else None for entry in entries]
        for place, metric in enumerate(metrics[:count])
    }
    return {metric: made for metric, made in cells.items() if any(made)}


def _numbers(part: TableCell) -> tuple[Number, ...]:
    return () if isinstance(part, str) else part


def class_lines(parts: Sequence[Part], entries: Sequence[str]) -> Lines:
    """The parts of one class, averaged over seeds; best and second best are marked among comparable numbers."""
    rows = [row for one in parts for row in _rows(one)]
    scores = over_seeds(pd.DataFrame(rows)) if rows else {}
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    lines = []
    for one in {part.part: part for part in reversed(parts)}.values():
        cells = {metric: _score_cells(scores, one, metric, entries) for metric in metrics}
        share = one.content["prevalence"]
        prevalence = Number(None if share is None else 100 * share, digits=2).text
        facts = {"part": one.part, "images": str(one.content["images"]), "prevalence": prevalence}
        lines.append(facts | {"cells": {metric: made for metric, made in cells.items() if any(made)}})
    return sorted(lines, key=lambda line: line["part"])


def _rows(one: Part) -> Iterator[dict[str, Any]]:
    """Rows as `over_seeds` takes them, a part in the place of a class."""
    for metric, value in one.content["metrics"].items():
        yield {
            "entry": one.entry,
            "target": one.target,
            "class": one.part,
            "metric": metric,
            "value": float("nan") if value is None else value,
            "comparable": one.comparable,
            "reason": one.content["undefined"].get(metric, ""),
        }


def _score_cells(scores: Mapping[Key, Score], one: Part, metric: str, entries: Sequence[str]) -> list[Cell]:
    found = {entry: scores.get((entry, one.target, one.part, metric)) for entry in entries}
    best = marks({entry: score.value for entry, score in found.items() if score is not None and score.comparable})
    return [
        cell(number_of(score, best.get(entry, "")), "" if score is None else score.reason)
        for entry, score in found.items()
    ]
