"""Significance as tables: for every comparability group and metric, differences with intervals, and rank intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.layout import Row, Table
from zsadbench.compare.significance import FEWEST, WEIGHTED, Difference, Images, Sample, differences, rank_intervals
from zsadbench.compare.summary import common_targets
from zsadbench.compare.tables import GROUP, Group, group_of
from zsadbench.results import read_images

COLUMNS = ("data sets", "difference", "95 % interval", "p (Wilcoxon, Holm)")
HOW = "Interval: paired bootstrap over data sets, classes, images (of image metrics) and seeds."
NO_TEST = f"Fewer than {FEWEST} data sets: no test over data sets."
RANKS = "Rank interval: 1 + the methods that are significantly better, to all but those that are significantly worse."
Found = Mapping[tuple[str, str, str], list[Path]]


def significance_tables(board: Board) -> list[Table]:
    """A table a group and metric, where at least two methods are comparable on a common data set."""
    paths = {record.signature: path for path, record in board.records}
    grouped = [rows for _, rows in board.measured.groupby(GROUP, sort=False)]
    return [
        table
        for number, rows in enumerate(grouped, start=1)
        for table in _of_group(board, rows[rows["comparable"]], paths, number)
    ]


def _of_group(board: Board, rows: pd.DataFrame, paths: Mapping[str, Path], number: int) -> Iterator[Table]:
    if rows["entry"].nunique() < 2:
        return
    group = group_of(board, rows)
    for metric in (metric for metrics in group.levels.values() for metric in metrics):
        entries = [name for name in group.entries if _has(group, name, metric)]
        targets = common_targets(group.scores, entries, group.targets, [metric])
        if len(entries) > 1 and targets:
            data = {target: _samples(rows, entries, target, metric, paths) for target in targets}
            whole = {target: classes for target, classes in data.items() if classes}
            if whole:
                found = differences(whole, entries, metric)
                yield _table(f"significance-{number}-{metric}", group, metric, found, entries)


def _has(group: Group, entry: str, metric: str) -> bool:
    scores = (group.scores.get((entry, target, "mean", metric)) for target in group.targets)
    return any(score is not None and score.value is not None for score in scores)


def _samples(
    rows: pd.DataFrame, entries: Sequence[str], target: str, metric: str, paths: Mapping[str, Path]
) -> dict[str, Sample]:
    """The classes of a target in which the metric is defined for every method and seed."""
    here = rows[(rows["target"] == target) & (rows["metric"] == metric) & (rows["class"] != "mean")]
    by_class = {str(name): part for name, part in here.groupby("class", sort=False) if part["value"].notna().all()}
    images = _images(here, entries, paths) if metric in WEIGHTED else {}
    found = {}
    for name, part in by_class.items():
        values = {entry: part[part["entry"] == entry]["value"].to_numpy(dtype=np.float64) for entry in entries}
        if all(len(one) for one in values.values()):
            found[name] = Sample(values, images.get(name))
    return found


def _images(rows: pd.DataFrame, entries: Sequence[str], paths: Mapping[str, Path]) -> dict[str, Images]:
    """Classes whose images lie beside the records of every method and seed; the same images, or none."""
    tables: dict[str, list[pd.DataFrame]] = {entry: [] for entry in entries}
    for (entry, signature), _ in rows.groupby(["entry", "signature"], sort=False):
        table = read_images(paths[str(signature)]) if signature in paths else None
        if table is None or not {"path", "class", "label", "score"} <= set(table.columns):
            return {}
        if entry in tables:
            tables[entry].append(table.sort_values("path"))
    first = next(iter(tables.values()))[0]
    return {str(name): made for name in first["class"].unique() if (made := _of_class(tables, str(name))) is not None}


def _of_class(tables: Mapping[str, Sequence[pd.DataFrame]], name: str) -> Images | None:
    parts = {entry: [table[table["class"] == name] for table in every] for entry, every in tables.items()}
    first = next(iter(parts.values()))[0]
    listed = [part for every in parts.values() for part in every]
    if any(list(part["path"]) != list(first["path"]) for part in listed):
        return None
    scores = {
        entry: np.stack([part["score"].to_numpy(dtype=np.float64) for part in every]) for entry, every in parts.items()
    }
    return Images(first["label"].to_numpy(dtype=np.int64), scores)


def _table(key: str, group: Group, metric: str, found: Sequence[Difference], entries: Sequence[str]) -> Table:
    ranks = rank_intervals(found, entries)
    shown = ", ".join(f"{name} {first}-{last}" for name, (first, last) in ranks.items())
    notes = (HOW, *([NO_TEST] if found[0].p is None else []), RANKS, f"Rank intervals: {shown}.")
    rows = tuple(
        Row(
            f"{one.left} against {one.right}",
            (
                str(one.sets),
                f"{100 * one.mean:+.1f}",
                f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
                "-" if one.p is None else f"{one.p:.3f}",
            ),
        )
        for one in found
    )
    caption = f"Differences in {HEADINGS.get(metric, metric)}, in points. Measured: {group.name}."
    return Table(key, caption, "methods", COLUMNS, rows, notes)
