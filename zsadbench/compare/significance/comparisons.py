"""Comparisons: the methods, data sets and samples over which differences and ranks are tested, read from a board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from zsadbench.compare.board import OWN, Board
from zsadbench.compare.frame import GROUP, HEADINGS
from zsadbench.compare.groups import Group, group_of
from zsadbench.compare.significance.critical_difference import FEWEST_METHODS, CriticalDifference, critical_difference
from zsadbench.compare.significance.differences import (
    WEIGHTED,
    Difference,
    FloatArray,
    ImageScores,
    Sample,
    against,
    differences,
)
from zsadbench.compare.significance.pixel_counts import PixelCounts
from zsadbench.compare.summary import common_targets
from zsadbench.records import read_images


class Comparison(NamedTuple):
    """One metric of the methods of one comparability group, on the data sets that all of them have.

    Attributes:
        number: the number of the group, from 1, in the order of the board.
        group: the comparability group, made of comparable rows.
        metric: the metric.
        entries: the methods that have the metric.
        targets: the data sets on which all entries have it.
        rows: the rows of the group in the board's frame.
        domain: the only domain of the data sets that it is limited to; empty for all domains.
        scope: the data sets in words, such as `6 data sets (4 industrial, 2 medical)`.
    """

    number: int
    group: Group
    metric: str
    entries: list[str]
    targets: list[str]
    rows: pd.DataFrame
    domain: str = ""
    scope: str = ""

    @property
    def key(self) -> str:
        """A name that is unique among the comparisons of a board: group, metric and domain."""
        return f"{self.number}-{self.metric}" + (f"-{self.domain.replace(' ', '-')}" if self.domain else "")

    @property
    def caption(self) -> str:
        """The metric, the data sets and the group."""
        return f"{HEADINGS.get(self.metric, self.metric)} over {self.scope}. Measured: {self.group.name}."

    def values(self) -> pd.DataFrame:
        """Means over classes and seeds as fractions: one row per data set, one column per method."""
        scores = self.group.scores
        columns = {
            name: [scores[name, target, "mean", self.metric].value for target in self.targets] for name in self.entries
        }
        return pd.DataFrame(columns, index=self.targets)


def comparisons(board: Board) -> Iterator[Comparison]:
    """Every group and metric for which at least two methods have comparable numbers on a common data set.

    Each is over the data sets of all domains.
    """
    for number, (_, rows) in enumerate(board.measured.groupby(GROUP, sort=False), start=1):
        comparable = rows[rows["comparable"]]
        if comparable["entry"].nunique() > 1:
            group = group_of(board, comparable)
            for metric in (metric for metrics in group.levels.values() for metric in metrics):
                comparison = comparison_of(group, comparable, metric, number)
                if comparison is not None:
                    yield comparison._replace(scope=_scope(board, comparison.targets))


def by_domain(board: Board, comparison: Comparison) -> list[Comparison]:
    """The same comparison within each domain; empty where its group has data sets of one domain only."""
    group, metric = comparison.group, comparison.metric
    domains = list(dict.fromkeys(board.dataset(target).domain for target in group.targets))
    results = []
    for domain in domains if len(domains) > 1 else ():
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        own = comparison_of(group._replace(targets=targets), comparison.rows, metric, comparison.number)
        if own is not None:
            results.append(own._replace(domain=domain, scope=_scope(board, own.targets)))
    return results


def _scope(board: Board, targets: Sequence[str]) -> str:
    """The number of data sets in words, by domain where there are several."""
    counts = Counter(board.dataset(target).domain for target in targets)
    noun = "data set" if len(targets) == 1 else "data sets"
    if len(counts) == 1:
        return f"{len(targets)} {next(iter(counts))} {noun}" if OWN not in counts else f"{len(targets)} {noun}"
    return f"{len(targets)} {noun} ({', '.join(f'{count} {domain}' for domain, count in counts.items())})"


def comparison_of(group: Group, rows: pd.DataFrame, metric: str, number: int = 1) -> Comparison | None:
    """The comparison of a group made of comparable `rows`; None where no two methods share a data set."""
    entries = [name for name in group.entries if _has_metric(group, name, metric)]
    targets = common_targets(group.scores, entries, group.targets, [metric])
    return Comparison(number, group, metric, entries, targets, rows) if len(entries) > 1 and targets else None


def _has_metric(group: Group, entry: str, metric: str) -> bool:
    scores = (group.scores.get((entry, target, "mean", metric)) for target in group.targets)
    return any(score is not None and score.value is not None for score in scores)


class ComparisonResult(NamedTuple):
    """A comparison and the differences of every two of its methods."""

    comparison: Comparison
    pairs: Sequence[Difference]

    def against(self, reference: str) -> list[Difference]:
        """The differences of `reference` minus every other method, corrected over these comparisons only."""
        return against(self.pairs, reference)


@lru_cache(maxsize=1)  # tables and figures take the same board; its bootstrap runs once
def comparison_results(board: Board) -> list[ComparisonResult]:
    """The comparisons of a board whose methods share a class, with intervals and tests."""
    files = record_files(board)
    sampled = [(comparison, samples_of(comparison, files)) for comparison in comparisons(board)]
    return [
        ComparisonResult(comparison, differences(samples, comparison.entries, comparison.metric))
        for comparison, samples in sampled
        if samples
    ]


def reference_of(board: Board, comparison: Comparison) -> str | None:
    """The method that the others are compared with: the selection's reference, or the one with the best mean.

    None where the board names a reference that the comparison does not have, in one way only.
    """
    if not board.selection.reference:
        return str(comparison.values().mean().idxmax())
    named = [name for name in comparison.entries if board.selection.reference in {name, name.partition(" [")[0]}]
    return board.selection.reference if board.selection.reference in named else named[0] if len(named) == 1 else None


def critical_differences(board: Board) -> list[tuple[Comparison, CriticalDifference]]:
    """Mean ranks and critical difference of every comparison of at least three methods: over all domains, then each."""
    scopes = [each for comparison in comparisons(board) for each in (comparison, *by_domain(board, comparison))]
    enough = [comparison for comparison in scopes if len(comparison.entries) >= FEWEST_METHODS]
    return [(comparison, critical_difference(comparison.values())) for comparison in enough]


class RecordFiles(NamedTuple):
    """Where scores of images and counts of pixels are read from.

    `paths` maps the signature of a record to its path, whose sidecars hold them. Counts of pixels are used only with
    `pixel_counts`.
    """

    paths: Mapping[str, Path]
    pixel_counts: PixelCounts | None = None


def record_files(board: Board, pixel_counts: PixelCounts | None = None) -> RecordFiles:
    """The files of the board's records."""
    return RecordFiles({record.signature: path for path, record in board.records}, pixel_counts)


def samples_of(comparison: Comparison, files: RecordFiles) -> dict[str, dict[str, Sample]]:
    """Data set → class → sample, as `differences` takes them; data sets without a common class are left out."""
    rows, entries, metric = comparison.rows, comparison.entries, comparison.metric
    samples = {target: samples_on(rows, entries, target, metric, files) for target in comparison.targets}
    return {target: classes for target, classes in samples.items() if classes}


def samples_on(
    rows: pd.DataFrame, entries: Sequence[str], target: str, metric: str, files: RecordFiles
) -> dict[str, Sample]:
    """Class → sample, for the classes of a target in which the metric is defined for every method and seed."""
    of_target = rows[(rows["target"] == target) & (rows["metric"] == metric) & (rows["class"] != "mean")]
    defined = {str(name): part for name, part in of_target.groupby("class", sort=False) if part["value"].notna().all()}
    images = _image_scores(of_target, entries, files.paths) if metric in WEIGHTED else {}
    samples = {}
    for name, part in defined.items():
        values = {entry: part[part["entry"] == entry]["value"].to_numpy(dtype=np.float64) for entry in entries}
        if all(len(seeds) for seeds in values.values()):
            deviations = None if name in images else _deviations(part, entries, (target, name, metric), files)
            samples[name] = Sample(values, images.get(name), deviations)
    return samples


def _deviations(
    rows: pd.DataFrame, entries: Sequence[str], key: tuple[str, str, str], files: RecordFiles
) -> dict[str, FloatArray] | None:
    """How the metric of one class changes with resampled images, by method; None where counts of pixels are missing.

    `key` is target, class and metric. Seeds are in the order of `rows`.
    """
    paths, pixel_counts = files
    if pixel_counts is None or not set(rows["signature"]) <= paths.keys():
        return None
    signatures = {entry: rows[rows["entry"] == entry]["signature"] for entry in entries}
    records = {entry: [paths[signature] for signature in of_entry] for entry, of_entry in signatures.items()}
    return pixel_counts.deviations(records, *key)


def _image_scores(rows: pd.DataFrame, entries: Sequence[str], paths: Mapping[str, Path]) -> dict[str, ImageScores]:
    """Class → scores of its images; without classes of which not every method and seed has the same images."""
    tables: dict[str, list[pd.DataFrame]] = {entry: [] for entry in entries}
    for (entry, signature), _ in rows.groupby(["entry", "signature"], sort=False):
        table = read_images(paths[str(signature)]) if signature in paths else None
        if table is None or not {"path", "class", "label", "score"} <= set(table.columns):
            return {}
        if entry in tables:
            tables[entry].append(table.sort_values("path"))
    first = next(iter(tables.values()))[0]
    by_class = {str(name): _scores_of_class(tables, str(name)) for name in first["class"].unique()}
    return {name: scores for name, scores in by_class.items() if scores is not None}


def _scores_of_class(tables: Mapping[str, Sequence[pd.DataFrame]], name: str) -> ImageScores | None:
    """The scores of one class from the image tables of every method and seed; None where their images differ."""
    of_class = {entry: [table[table["class"] == name] for table in seeds] for entry, seeds in tables.items()}
    first = next(iter(of_class.values()))[0]
    if any(list(table["path"]) != list(first["path"]) for seeds in of_class.values() for table in seeds):
        return None
    scores = {
        entry: np.stack([table["score"].to_numpy(dtype=np.float64) for table in seeds])
        for entry, seeds in of_class.items()
    }
    return ImageScores(first["label"].to_numpy(dtype=np.int64), scores)
