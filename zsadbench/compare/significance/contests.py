"""Significance as tables: for every comparability group and metric, differences with intervals, and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import GROUP, Group, group_of
from zsadbench.compare.significance.critical_difference import FEWEST_METHODS, CriticalDifference, critical_difference
from zsadbench.compare.significance.differences import (
    WEIGHTED,
    Images,
    Sample,
    Values,
)
from zsadbench.compare.significance.pixel_counts import Spreads
from zsadbench.compare.summary import common_targets
from zsadbench.records import read_images


class Contest(NamedTuple):
    """What may be ranked: methods of one comparability group and metric, on the data sets that all of them have."""

    number: int
    group: Group
    metric: str
    entries: list[str]
    targets: list[str]
    rows: pd.DataFrame

    @property
    def caption(self) -> str:
        """The metric and the group."""
        return f"{HEADINGS.get(self.metric, self.metric)}. Measured: {self.group.name}."

    def values(self) -> pd.DataFrame:
        """Means over classes and seeds, fractions: data sets down, methods across."""
        scores = self.group.scores
        columns = {
            name: [scores[name, target, "mean", self.metric].value for target in self.targets] for name in self.entries
        }
        return pd.DataFrame(columns, index=self.targets)


def contests(board: Board) -> Iterator[Contest]:
    """Every group and metric in which at least two methods are comparable on a common data set."""
    for number, (_, rows) in enumerate(board.measured.groupby(GROUP, sort=False), start=1):
        comparable = rows[rows["comparable"]]
        if comparable["entry"].nunique() > 1:
            group = group_of(board, comparable)
            for metric in (metric for metrics in group.levels.values() for metric in metrics):
                found = contest_of(group, comparable, metric, number)
                if found is not None:
                    yield found


def contest_of(group: Group, rows: pd.DataFrame, metric: str, number: int = 1) -> Contest | None:
    """The contest of a group made of comparable `rows`; None where no two methods share a data set."""
    entries = [name for name in group.entries if _has(group, name, metric)]
    targets = common_targets(group.scores, entries, group.targets, [metric])
    return Contest(number, group, metric, entries, targets, rows) if len(entries) > 1 and targets else None


class Files(NamedTuple):
    """Signature → record, whose images lie beside it; with `spreads`, the counts of pixels beside it are used, too."""

    paths: Mapping[str, Path]
    spreads: Spreads | None = None


def files_of(board: Board, spreads: Spreads | None = None) -> Files:
    """The files of the board's records."""
    return Files({record.signature: path for path, record in board.records}, spreads)


def samples_of(contest: Contest, files: Files) -> dict[str, dict[str, Sample]]:
    """Data set → class → sample, as `significance.differences` takes them; sets without a common class are left out."""
    data = {
        target: samples_on(contest.rows, contest.entries, target, contest.metric, files) for target in contest.targets
    }
    return {target: classes for target, classes in data.items() if classes}


def critical_differences(board: Board) -> list[tuple[Contest, CriticalDifference]]:
    """Mean ranks and critical difference of every contest of at least three methods."""
    wide = [contest for contest in contests(board) if len(contest.entries) >= FEWEST_METHODS]
    return [(contest, critical_difference(contest.values())) for contest in wide]


def _has(group: Group, entry: str, metric: str) -> bool:
    scores = (group.scores.get((entry, target, "mean", metric)) for target in group.targets)
    return any(score is not None and score.value is not None for score in scores)


def samples_on(rows: pd.DataFrame, entries: Sequence[str], target: str, metric: str, files: Files) -> dict[str, Sample]:
    """The classes of a target in which the metric is defined for every method and seed."""
    here = rows[(rows["target"] == target) & (rows["metric"] == metric) & (rows["class"] != "mean")]
    by_class = {str(name): part for name, part in here.groupby("class", sort=False) if part["value"].notna().all()}
    images = _images(here, entries, files.paths) if metric in WEIGHTED else {}
    found = {}
    for name, part in by_class.items():
        values = {entry: part[part["entry"] == entry]["value"].to_numpy(dtype=np.float64) for entry in entries}
        if all(len(one) for one in values.values()):
            drawn = _drawn(part, entries, (target, name, metric), files) if name not in images else None
            found[name] = Sample(values, images.get(name), drawn)
    return found


def _drawn(
    rows: pd.DataFrame,
    entries: Sequence[str],
    place: tuple[str, str, str],
    files: Files,
) -> dict[str, Values] | None:
    """What drawn images change in one class, seeds in the order of `rows`; None where that is not known."""
    paths, spreads = files
    if spreads is None or not set(rows["signature"]) <= paths.keys():
        return None
    own = {entry: rows[rows["entry"] == entry]["signature"] for entry in entries}
    return spreads.deviations({entry: [paths[name] for name in names] for entry, names in own.items()}, *place)


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
