"""Which method wins where: metrics by type of defect, area, number and place of regions, and view.

A number is the mean over the classes that have the part, as far as every method has them, then over seeds; types of
defect belong to one class each. Average precision and F1 rise with the share of anomalous pixels, which is printed
beside them: compare methods across a row, never rows with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import GROUP, Group, group_of
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


class _Part(NamedTuple):
    """One part of all classes together, or of the class that has this type of defect."""

    kind: str
    label: str
    images: int
    prevalence: float | None


def breakdown_tables(board: Board, read: Read = read_details) -> list[Table]:
    """For every comparability group and data set with details beside its records, a table a pair of metrics."""
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
    """One row a run, class, part and metric, over the classes that every run with details has."""
    runs = [(row, read(paths[row["signature"]])) for _, row in rows.drop_duplicates("signature").iterrows()]
    found = [(row, details["classes"]) for row, details in runs if details is not None]
    common = set.intersection(*(set(classes) for _, classes in found)) if found else set()
    listed = [
        {**_place(row, name, part), "metric": metric, "value": value, "reason": content["undefined"].get(metric, "")}
        | {"images": content["images"], "prevalence": content["prevalence"]}
        for row, classes in found
        for name in classes
        if name in common
        for part, content in classes[name]["parts"].items()
        if part.partition("=")[0] in KINDS
        for metric, value in content["metrics"].items()
    ]
    return pd.DataFrame(listed).astype({"value": "float64", "prevalence": "float64"}) if listed else pd.DataFrame()


def _place(row: pd.Series, class_name: str, part: str) -> dict[str, Any]:
    kind, _, value = part.partition("=")
    label = f"{class_name}: {value}" if kind == "defect" else value
    run = {name: row[name] for name in ("entry", "target", "seed", "comparable")}
    return run | {"signature": row["signature"], "of": class_name, "kind": kind, "label": label}


def _tables(board: Board, group: Group, target: str, parts: pd.DataFrame, number: int) -> Iterator[Table]:
    entries = [name for name in group.entries if name in set(parts["entry"])]
    scores = over_seeds(_means(parts))
    listed = [_part(rows) for _, rows in parts.groupby(["kind", "label"], sort=False)]
    ordered = sorted(listed, key=lambda part: (list(KINDS).index(part.kind), part.label))
    for pair in PAIRS:
        shown = [metric for metric in pair if metric in set(parts["metric"])]
        found = [(part, _numbers(scores, entries, (target, part, shown))) for part in ordered]
        kept = [(part, cells) for part, cells in found if any(one.value is not None for cell in cells for one in cell)]
        if kept:
            heading = ", ".join(HEADINGS[metric] for metric in shown)
            caption = f"{heading} on {board.dataset(target).title} by part. Measured: {group.name}."
            key, columns = f"parts-{number}-{target}-{shown[0]}", ("images", "prevalence [%]", *entries)
            rows = tuple(_row(part, cells) for part, cells in kept)
            yield Table(key, caption, "part", columns, rows, (READ, PREVALENCE), group.cites)


def _means(parts: pd.DataFrame) -> pd.DataFrame:
    """Means over classes, one row a run, part and metric, as `over_seeds` takes them."""
    by = ["entry", "target", "seed", "signature", "comparable", "kind", "label", "metric"]
    found = parts.groupby(by, sort=False, as_index=False).agg(value=("value", "mean"), reason=("reason", "first"))
    return found.assign(**{"class": found["kind"] + "=" + found["label"]})


def _part(rows: pd.DataFrame) -> _Part:
    """Images of all classes, and the mean prevalence; both are the images' own, the same for every run."""
    classes = rows.drop_duplicates("of")
    mean, first = float(classes["prevalence"].mean()), rows.iloc[0]
    images = int(classes["images"].sum())
    return _Part(str(first["kind"]), str(first["label"]), images, None if math.isnan(mean) else mean)


def _numbers(
    scores: Mapping[Key, Score], entries: Sequence[str], place: tuple[str, _Part, Sequence[str]]
) -> list[tuple[Number, ...]]:
    target, part, metrics = place
    found = {(entry, name): _score(scores, entry, target, part, name) for entry in entries for name in metrics}
    best = {
        name: marks({entry: one.value for entry in entries if (one := found[entry, name]) and one.comparable})
        for name in metrics
    }
    return [tuple(number_of(found[entry, name], best[name].get(entry, "")) for name in metrics) for entry in entries]


def _score(scores: Mapping[Key, Score], entry: str, target: str, part: _Part, metric: str) -> Score | None:
    return scores.get((entry, target, f"{part.kind}={part.label}", metric))


def _row(part: _Part, numbers: Sequence[tuple[Number, ...]]) -> Row:
    prevalence = Number(None if part.prevalence is None else 100 * part.prevalence, digits=2)
    images = (Number(float(part.images), digits=0),)
    return Row(part.label, (images, (prevalence,), *numbers), KINDS[part.kind])
