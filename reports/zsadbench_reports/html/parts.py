"""Breakdowns: every part of a class, and its mean over the classes that have it; seeds averaged, best marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare.summary import Key, Score, marks, over_seeds
from zsadbench.compare.tables import number_of
from zsadbench.results import Record
from zsadbench_reports.html.cells import cell, without_empty

SHOWN = ("image_auroc", "image_ap", "image_f1max", "pixel_auroc", "pixel_ap", "pixel_f1max", "pixel_aupro")
DEFECT, OF_ONE_CLASS = "defect=", ("defect=", "class")  # parts that say something of one class only


class Part(NamedTuple):
    """One part of one class in one record; `content` as the sidecar has it."""

    entry: str
    target: str
    seed: str
    name: str
    part: str
    content: Mapping[str, Any]
    record: Record


def part_lines(parts: Sequence[Part], entries: Sequence[str], *, every_class: bool) -> dict[str, Any]:
    """Target → class → lines `{part, images, prevalence, cells}`; the class "" is the mean over classes.

    `cells[metric]` has one cell an entry, `images` and `prevalence` (percent) are texts. Without `every_class`, single
    classes keep their types of defect alone.
    """
    found: dict[str, Any] = {}
    for target in dict.fromkeys(one.target for one in parts):
        here = [one for one in parts if one.target == target]
        names = dict.fromkeys(one.name for one in here)
        lines = {"": list(_lines([one for one in here if not one.part.startswith(OF_ONE_CLASS)], entries, whole=True))}
        for name in names:
            own = [one for one in here if one.name == name and (every_class or one.part.startswith(DEFECT))]
            lines[name] = list(_lines(own, entries, whole=False))
        found[target] = without_empty(lines)
    return without_empty(found)


def _lines(parts: Sequence[Part], entries: Sequence[str], *, whole: bool) -> Iterator[dict[str, Any]]:
    scores = over_seeds(pd.DataFrame(list(_rows(parts, whole=whole)))) if parts else {}
    for name in dict.fromkeys(one.part for one in parts):
        here = [one for one in parts if one.part == name]
        cells = {metric: _cells(scores, here[0].target, entries, (name, metric)) for metric in SHOWN}
        yield {
            "part": name,
            "images": str(sum(one.content["images"] for one in here if _same_run(one, here[0]))),
            "prevalence": _prevalence(here),
            "cells": {metric: row for metric, row in cells.items() if any(row)},
        }


def _same_run(one: Part, other: Part) -> bool:
    return (one.entry, one.seed) == (other.entry, other.seed)


def _prevalence(parts: Sequence[Part]) -> str:
    """The share of anomalous pixels in percent; of several classes, from the least to the largest."""
    shares = [100 * one.content["prevalence"] for one in parts if one.content.get("prevalence") is not None]
    ends = dict.fromkeys(f"{share:.2g}" for share in (min(shares), max(shares))) if shares else {}
    return " to ".join(ends)


def _rows(parts: Sequence[Part], *, whole: bool) -> Iterator[dict[str, Any]]:
    """Rows as `over_seeds` takes them, a part in the place of a class; the mean over classes is the record's own."""
    if not whole:
        for one in parts:
            yield from _row(one, one.content["metrics"], one.content.get("undefined") or {})
        return
    runs: dict[tuple[str, str, str], list[Part]] = {}
    for one in parts:
        runs.setdefault((one.entry, one.seed, one.part), []).append(one)
    for same in runs.values():
        classes = {one.name: dict(one.content["metrics"]) for one in same}
        means, _, reasons = Record(same[0].record.cell, list(classes), classes).mean()
        yield from _row(same[0], means, reasons)


def _row(one: Part, values: Mapping[str, float | None], reasons: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for metric in SHOWN:
        if metric in values:
            value = values[metric]
            yield {
                "entry": one.entry,
                "target": one.target,
                "class": one.part,
                "metric": metric,
                "value": float("nan") if value is None else value,
                "comparable": one.record.comparable,
                "reason": reasons.get(metric, ""),
            }


def _cells(scores: Mapping[Key, Score], target: str, entries: Sequence[str], place: tuple[str, str]) -> list[Any]:
    found = {entry: scores.get((entry, target, *place)) for entry in entries}
    best = marks({entry: score.value for entry, score in found.items() if score is not None and score.comparable})
    return [
        cell(number_of(score, best.get(entry, "")), "" if score is None else score.reason)
        for entry, score in found.items()
    ]
