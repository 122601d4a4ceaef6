"""Two methods compared on every data set where both were measured in the same comparability group.

A gap is `left` minus `right` on the same images. Its interval comes from the bootstrap of `differences` over images,
classes and seeds. Results over data sets use comparable records only; rank intervals are among all methods of the
group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.frame import GROUP
from zsadbench.compare.gap import Gap, gaps
from zsadbench.compare.groups import Group, group_of
from zsadbench.compare.significance.comparisons import RecordFiles, comparison_of, record_files, samples_of, samples_on
from zsadbench.compare.significance.differences import Difference, Sample, differences, rank_intervals
from zsadbench.compare.significance.pixel_counts import PixelCounts
from zsadbench.compare.summary import Score
from zsadbench.errors import UsageError, unknown

DRAWS = 1000
ABSENT = Score(None, None, 0, True, "not evaluated")


class Line(NamedTuple):
    """One metric of one class of one target (or of the `mean` over classes): both scores, as fractions.

    `interval` is the 95 % interval of their difference, None where no image, class or seed can be resampled. `because`
    says why there is no gap; empty when there is one.
    """

    target: str
    class_name: str
    metric: str
    left: Score
    right: Score
    interval: tuple[float, float] | None
    because: str

    @property
    def points(self) -> float | None:
        """Left minus right, in points of percent."""
        if self.because or self.left.value is None or self.right.value is None:
            return None
        return 100 * (self.left.value - self.right.value)


class Overall(NamedTuple):
    """One metric over the comparable data sets of both; `ranks` are rank intervals among all `rivals` methods."""

    metric: str
    difference: Difference
    ranks: Mapping[str, tuple[int, int]]
    rivals: int


@dataclass(frozen=True)
class Pairing:
    """Both methods in one comparability group; `remarks` say why records are not comparable."""

    group: str
    left: str
    right: str
    lines: Sequence[Line]
    overall: Sequence[Overall]
    published: Sequence[Gap]
    remarks: Sequence[str]


def pairings(
    board: Board, left: str, right: str, targets: Sequence[str] = (), metrics: Sequence[str] = ()
) -> list[Pairing]:
    """Compare two methods in every comparability group in which they share a target.

    Args:
        board: the numbers.
        left: a method, or an entry as the tables name it.
        right: the other one.
        targets: the data sets to use; empty for all.
        metrics: metrics in addition to those of the tables.

    Raises:
        UsageError: a method, target or metric was not measured; a method was run in several ways and is named without
            them; or the two were never measured in the same group and target.
    """
    rows = _rows_of(board, (left, right), targets, metrics)
    results = []
    for _, part in rows.groupby(GROUP, sort=False):
        pair = _entry(part, left), _entry(part, right)
        if pair[0] == pair[1] and pair[0]:
            raise UsageError(f"compare takes two different methods; '{left}' and '{right}' both mean '{pair[0]}'")
        if all(pair) and _common_targets(_one_name(board, part, pair), pair):
            results.append(_pairing(board, part, (str(pair[0]), str(pair[1])), metrics))
    if not results:
        raise UsageError(
            f"'{left}' and '{right}' share no data set under one protocol, backbone and number of support images; "
            "run both alike: zsadbench run -m"
        )
    return results


def _rows_of(board: Board, methods: Sequence[str], targets: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """The measured rows of `targets`, all without any, after a check that all names are known."""
    rows = board.measured
    for name in methods:
        if name not in set(rows["entry"]) | set(rows["method"]):
            raise unknown("measured method", name, {*rows["entry"], *rows["method"]})
    for metric in metrics:
        if metric not in set(rows["metric"]):
            raise unknown("measured metric", metric, set(rows["metric"]))
    wanted = rows["target"].isin(targets) | rows["target"].map(board.set_of).isin(targets)
    kept = rows[wanted] if targets else rows
    if kept.empty:
        raise unknown("measured data set", ", ".join(targets), set(rows["target"]))
    return kept


def _entry(rows: pd.DataFrame, name: str) -> str | None:
    """The entry of a group that `name`, an entry or a method, means; None where there is none."""
    if name in set(rows["entry"]):
        return name
    entries = list(dict.fromkeys(rows[rows["method"] == name]["entry"]))
    if len(entries) > 1:
        listed = ", ".join(f"'{entry}'" for entry in entries)
        raise UsageError(f"'{name}' was run in {len(entries)} ways: {listed}; name one of them")
    return str(entries[0]) if entries else None


def _one_name(board: Board, rows: pd.DataFrame, pair: Sequence[str | None]) -> pd.DataFrame:
    """`rows`, in which a data set that the two share no copy of has one name, so that their numbers are listed.

    Of several copies of one entry the first is used. `_images_differ` keeps such a pair from being compared.
    """
    rows = rows.assign(set=rows["target"].map(board.set_of))
    for name, of_set in rows.groupby("set", sort=False):
        left, right = (of_set[of_set["entry"] == entry]["target"].unique() for entry in pair)
        if len(left) and len(right) and not set(left) & set(right):
            for entry, target in ((pair[0], left[0]), (pair[1], right[0])):
                rows.loc[(rows["entry"] == entry) & (rows["target"] == target), "target"] = name
    return rows


def _common_targets(rows: pd.DataFrame, pair: Sequence[str | None]) -> set[str]:
    left, right = (set(rows[rows["entry"] == entry]["target"]) for entry in pair)
    return left & right


def _pairing(board: Board, rows: pd.DataFrame, pair: tuple[str, str], metrics: Sequence[str]) -> Pairing:
    listed = _one_name(board, rows, pair)
    both = listed[listed["entry"].isin(pair) & listed["target"].isin(_common_targets(listed, pair))]
    group, files = group_of(board, both), record_files(board, PixelCounts(DRAWS))
    all_metrics = list(dict.fromkeys([*(metric for level in group.levels.values() for metric in level), *metrics]))
    differ = {target: _images_differ(board, both, pair, target) for target in group.targets}
    lines = [
        line
        for target in group.targets
        for metric in all_metrics
        for line in _lines(group, both, (target, metric, differ[target]), pair, files)
    ]
    same_images = [target for target in group.targets if not differ[target]]
    over_sets = [_overall(board, rows, (pair, same_images), metric, files) for metric in all_metrics]
    overall = [result for result in over_sets if result is not None]
    published = gaps(pd.concat([both, board.published], ignore_index=True))
    remarks = list(dict.fromkeys(note for note in both["note"] if note))
    return Pairing(group.name, *pair, lines, overall, published, remarks)


def _images_differ(board: Board, rows: pd.DataFrame, pair: Sequence[str], target: str) -> str:
    """How the images of the two differ on a target; empty where they are the same."""
    cells = {record.signature: record.cell for _, record in board.records}
    rows = rows[rows["target"] == target].drop_duplicates("signature")
    images: list[set[tuple[str, str]]] = []
    for entry in pair:
        runs = rows[rows["entry"] == entry]
        fingerprints = [str(cells[name]["target"].get("fingerprint")) for name in runs["signature"] if name in cells]
        images.append(set(zip(runs["split"], fingerprints, strict=True)))
    if images[0] == images[1] and len(images[0]) == 1:
        return ""
    splits = [", ".join(sorted({split for split, _ in of_entry})) for of_entry in images]
    return f"other images: {splits[0]} against {splits[1]}" if splits[0] != splits[1] else "other copies of the set"


def _lines(
    group: Group, rows: pd.DataFrame, key: tuple[str, str, str], pair: tuple[str, str], files: RecordFiles
) -> Iterator[Line]:
    """The classes of one target and metric, the mean last; `key` is target, metric and how their images differ."""
    target, metric, differ = key
    names = dict.fromkeys(key[2] for key in group.scores if key[1] == target and key[3] == metric)
    samples = {} if differ else samples_on(rows, pair, target, metric, files)
    for name in [*(name for name in names if name != "mean"), "mean"]:
        left, right = (group.scores.get((entry, target, name, metric), ABSENT) for entry in pair)
        because = differ or next((score.reason for score in (left, right) if score.value is None), "")
        of_line = samples if name == "mean" else {key: samples[key] for key in samples if key == name}
        interval = None if because else interval_of(of_line, pair, metric)
        yield Line(target, name, metric, left, right, interval, because)


def interval_of(samples: Mapping[str, Sample], pair: tuple[str, str], metric: str) -> tuple[float, float] | None:
    """The interval of one class or of a mean over several; None where nothing can be resampled."""
    if not samples or (len(samples) == 1 and not any(sample.has_images for sample in samples.values())):
        return None
    (difference,) = differences({"": samples}, pair, metric, DRAWS)
    return difference.low, difference.high


def _overall(
    board: Board,
    rows: pd.DataFrame,
    among: tuple[tuple[str, str], Sequence[str]],
    metric: str,
    files: RecordFiles,
) -> Overall | None:
    """One metric over the comparable data sets; `among` are both entries and the targets with the same images."""
    pair, targets = among
    comparable = rows[rows["comparable"]]
    ours = comparable[comparable["entry"].isin(pair) & comparable["target"].isin(targets)]
    comparison = comparison_of(group_of(board, ours), ours, metric) if len(ours) else None
    samples = samples_of(comparison, files) if comparison is not None else {}
    if not samples:
        return None
    (difference,) = differences(samples, list(pair), metric, DRAWS)
    ranks: dict[str, tuple[int, int]] = {}
    everyone = comparison_of(group_of(board, comparable), comparable, metric)
    if everyone is not None and (rival_samples := samples_of(everyone, RecordFiles({}))):
        ranks = rank_intervals(differences(rival_samples, everyone.entries, metric), everyone.entries)
    shown = {entry: ranks[entry] for entry in pair} if set(pair) <= ranks.keys() else {}
    return Overall(metric, difference, shown, len(ranks))
