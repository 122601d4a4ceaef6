"""Breakdowns: metrics by type of defect, area, number and position of regions, and view.

Each of these is a part: a subset of the images or regions of a data set. A number is the mean over the classes that
have the part and that every method has, then over seeds; a type of defect belongs to one class. Average precision and
F1 depend on the share of anomalous pixels, which is printed too: compare methods across a row, not rows with each
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.frame import GROUP, HEADINGS
from zsadbench.compare.groups import Group, group_of, notes_of
from zsadbench.compare.summary import Key, Score, marks, over_seeds
from zsadbench.compare.tables.layout import Number, Row, Table
from zsadbench.compare.tables.measured import number_of
from zsadbench.records import read_details

KINDS = {
    "area": "area of the regions, by quartile, from the smallest",
    "regions": "regions of the image",
    "border": "regions by distance to the border",
    "view": "view",
    "defect": "type of defect",
}
PAIRS = (("image_auroc", "image_ap"), ("pixel_auroc", "pixel_aupro"), ("pixel_ap", "pixel_f1max"))
READ = "Means over the classes that have the part; compare methods across a row, not rows with each other."
PREVALENCE = "Prevalence: the share of anomalous pixels of the part, which is what chance scores in P-AP."
Read = Callable[[Path], Mapping[str, Any] | None]


class _PartFacts(NamedTuple):
    """One part over all classes that have it; `prevalence` is the mean share of anomalous pixels, in [0, 1]."""

    kind: str
    label: str
    images: int
    prevalence: float | None


def breakdown_tables(board: Board, read: Read = read_details) -> list[Table]:
    """One table per comparability group, data set and pair of metrics, from the details in the sidecars of records."""
    paths = {record.signature: path for path, record in board.records}
    tables: list[Table] = []
    for number, (_, rows) in enumerate(board.measured.groupby(GROUP, sort=False), start=1):
        group = group_of(board, rows)
        for target in group.targets:
            parts = _parts(rows[rows["target"] == target], paths, read)
            if len(parts):
                tables += _tables(board, group, target, parts, number)
    return tables


def _parts(rows: pd.DataFrame, paths: Mapping[str, Path], read: Read) -> pd.DataFrame:
    """One row per run, class, part and metric, for the classes that every run with details has."""
    runs = [(row, read(paths[row["signature"]])) for _, row in rows.drop_duplicates("signature").iterrows()]
    with_details = [(row, details["classes"]) for row, details in runs if details is not None]
    common = set.intersection(*(set(classes) for _, classes in with_details)) if with_details else set()
    numbers = [
        _run_and_part(row, name, part)
        | {"metric": metric, "value": value, "reason": content["undefined"].get(metric, "")}
        | {"images": content["images"], "prevalence": content["prevalence"]}
        for row, classes in with_details
        for name in classes
        if name in common
        for part, content in classes[name]["parts"].items()
        if part.partition("=")[0] in KINDS
        for metric, value in content["metrics"].items()
    ]
    return pd.DataFrame(numbers).astype({"value": "float64", "prevalence": "float64"}) if numbers else pd.DataFrame()


def _run_and_part(row: pd.Series, class_name: str, part: str) -> dict[str, Any]:
    """The columns that name a run and a part of one of its classes."""
    kind, _, value = part.partition("=")
    label = f"{class_name}: {value}" if kind == "defect" else value
    run = {name: row[name] for name in ("entry", "target", "seed", "comparable")}
    return run | {"signature": row["signature"], "of": class_name, "kind": kind, "label": label}


def _tables(board: Board, group: Group, target: str, parts: pd.DataFrame, number: int) -> Iterator[Table]:
    entries = [name for name in group.entries if name in set(parts["entry"])]
    scores = over_seeds(_means(parts))
    facts = [_facts(rows) for _, rows in parts.groupby(["kind", "label"], sort=False)]
    ordered = sorted(facts, key=lambda part: (list(KINDS).index(part.kind), part.label))
    for pair in PAIRS:
        shown = [metric for metric in pair if metric in set(parts["metric"])]
        cells_of = {part: _numbers(group, scores, entries, (target, part, shown)) for part in ordered}
        rows = tuple(
            _row(part, cells)
            for part, cells in cells_of.items()
            if any(number.value is not None for cell in cells for number in cell)
        )
        if rows:
            heading = ", ".join(HEADINGS[metric] for metric in shown)
            caption = f"{heading} on {board.dataset(target).title} by part. Measured: {group.name}."
            key, columns = f"parts-{number}-{target}-{shown[0]}", ("images", "prevalence [%]", *entries)
            of_table = group.rows[group.rows["signature"].isin(set(parts["signature"]))]
            notes, cites = (READ, PREVALENCE, *notes_of(board, of_table)), cites_of(board, of_table)
            yield Table(key, caption, "part", columns, rows, notes, cites)


def _means(parts: pd.DataFrame) -> pd.DataFrame:
    """Means over classes, one row per run, part and metric, as `over_seeds` takes them."""
    by = ["entry", "target", "seed", "signature", "comparable", "kind", "label", "metric"]
    means = parts.groupby(by, sort=False, as_index=False).agg(value=("value", "mean"), reason=("reason", "first"))
    return means.assign(**{"class": means["kind"] + "=" + means["label"]})


def _facts(rows: pd.DataFrame) -> _PartFacts:
    """The number of images and the mean prevalence of a part; both are the same for every run."""
    classes = rows.drop_duplicates("of")
    mean, first = float(classes["prevalence"].mean()), rows.iloc[0]
    images = int(classes["images"].sum())
    return _PartFacts(str(first["kind"]), str(first["label"]), images, None if math.isnan(mean) else mean)


def _numbers(
    group: Group, scores: Mapping[Key, Score], entries: Sequence[str], about: tuple[str, _PartFacts, Sequence[str]]
) -> list[tuple[Number, ...]]:
    """The cells of one row, one per entry, with marks; `about` is target, part and metrics."""
    target, part, metrics = about
    name = f"{part.kind}={part.label}"
    of_part = {(entry, metric): scores.get((entry, target, name, metric)) for entry in entries for metric in metrics}
    best = {
        metric: marks(
            {entry: score.value for entry in entries if (score := of_part[entry, metric]) and score.comparable},
            group.selection.decimals,
        )
        for metric in metrics
    }
    return [
        tuple(number_of(of_part[entry, metric], best[metric].get(entry, ""), group.selection) for metric in metrics)
        for entry in entries
    ]


def _row(part: _PartFacts, numbers: Sequence[tuple[Number, ...]]) -> Row:
    prevalence = Number(None if part.prevalence is None else 100 * part.prevalence, digits=2)
    images = (Number(float(part.images), digits=0),)
    return Row(part.label, (images, (prevalence,), *numbers), KINDS[part.kind])
