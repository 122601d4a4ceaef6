"""Two methods side by side, wherever both were measured under one protocol, backbone and number of supports.

A gap is `left` minus `right` on the same images. Its interval draws images, classes and seeds as `significance`
does; over data sets, only comparable records count. Rank intervals stand among all methods of the group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.gap import Gap, gaps
from zsadbench.compare.groups import GROUP, Group, group_of
from zsadbench.compare.significance.contests import Files, contest_of, files_of, samples_of, samples_on
from zsadbench.compare.significance.differences import Difference, Sample, differences, rank_intervals
from zsadbench.compare.significance.pixel_counts import Spreads
from zsadbench.compare.summary import Score
from zsadbench.errors import UsageError, unknown

DRAWS = 1000
ABSENT = Score(None, None, 0, True, "not evaluated")


class Line(NamedTuple):
    """One class, or `mean`, of one target: both scores, and the 95 % interval of their difference; fractions.

    `because` says why there is no gap; the interval is None where no image, class or seed can be drawn.
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
    """One metric over the comparable data sets of both; `ranks` of both among the `rivals` methods of the group."""

    metric: str
    difference: Difference
    ranks: Mapping[str, tuple[int, int]]
    rivals: int


@dataclass(frozen=True)
class Pairing:
    """Both methods inside one comparability group; `remarks` are the reasons of records that are not comparable."""

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
    """Every group in which `left` and `right`, methods or entries of the board, share a target.

    `targets` are all where none are named; `metrics` are added to those of the tables.

    Raises:
        UsageError: a method, target or metric was not measured, a method in several ways, or never the two together.
    """
    rows = _named(board.measured, (left, right), targets, metrics)
    found = []
    for _, part in rows.groupby(GROUP, sort=False):
        pair = _entry(part, left), _entry(part, right)
        if pair[0] == pair[1] and pair[0]:
            raise UsageError(f"compare takes two different methods; '{left}' and '{right}' both mean '{pair[0]}'")
        if all(pair) and _common(part, pair):
            found.append(_pairing(board, part, (str(pair[0]), str(pair[1])), metrics))
    if not found:
        raise UsageError(
            f"'{left}' and '{right}' share no data set under one protocol, backbone and number of support images; "
            "run both alike: zsadbench run -m"
        )
    return found


def _named(rows: pd.DataFrame, methods: Sequence[str], targets: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """The rows of the targets asked for, once all names are known."""
    for name in methods:
        if name not in set(rows["entry"]) | set(rows["method"]):
            raise unknown("measured method", name, {*rows["entry"], *rows["method"]})
    for metric in metrics:
        if metric not in set(rows["metric"]):
            raise unknown("measured metric", metric, set(rows["metric"]))
    kept = rows[rows["target"].isin(targets)] if targets else rows
    if kept.empty:
        raise unknown("measured data set", ", ".join(targets), set(rows["target"]))
    return kept


def _entry(rows: pd.DataFrame, name: str) -> str | None:
    """The one entry that `name` means here, None where there is none."""
    if name in set(rows["entry"]):
        return name
    found = list(dict.fromkeys(rows[rows["method"] == name]["entry"]))
    if len(found) > 1:
        listed = ", ".join(f"'{entry}'" for entry in found)
        raise UsageError(f"'{name}' was run in {len(found)} ways: {listed}; name one of them")
    return str(found[0]) if found else None


def _common(rows: pd.DataFrame, pair: Sequence[str | None]) -> set[str]:
    one, other = (set(rows[rows["entry"] == entry]["target"]) for entry in pair)
    return one & other


def _pairing(board: Board, rows: pd.DataFrame, pair: tuple[str, str], metrics: Sequence[str]) -> Pairing:
    both = rows[rows["entry"].isin(pair) & rows["target"].isin(_common(rows, pair))]
    group, files = group_of(board, both), files_of(board, Spreads(DRAWS))
    wanted = list(dict.fromkeys([*(metric for level in group.levels.values() for metric in level), *metrics]))
    images = {target: _images_differ(board, both, pair, target) for target in group.targets}
    lines = [
        line
        for target in group.targets
        for metric in wanted
        for line in _lines(group, both, (target, metric, images[target]), pair, files)
    ]
    same = [target for target in group.targets if not images[target]]
    overall = [one for metric in wanted if (one := _overall(board, rows, (pair, same), metric, files)) is not None]
    published = gaps(pd.concat([both, board.published], ignore_index=True))
    remarks = list(dict.fromkeys(note for note in both["note"] if note))
    return Pairing(group.name, *pair, lines, overall, published, remarks)


def _images_differ(board: Board, rows: pd.DataFrame, pair: Sequence[str], target: str) -> str:
    """Why both were not measured on the same images; empty where they were."""
    cells = {record.signature: record.cell for _, record in board.records}
    here = rows[rows["target"] == target]
    found: list[set[tuple[str, str]]] = []
    for entry in pair:
        part = here[here["entry"] == entry].drop_duplicates("signature")
        prints = [str(cells[name]["target"].get("fingerprint")) for name in part["signature"] if name in cells]
        found.append(set(zip(part["split"], prints, strict=True)))
    if found[0] == found[1] and len(found[0]) == 1:
        return ""
    splits = [", ".join(sorted({split for split, _ in one})) for one in found]
    return f"other images: {splits[0]} against {splits[1]}" if splits[0] != splits[1] else "other copies of the set"


def _lines(
    group: Group, rows: pd.DataFrame, place: tuple[str, str, str], pair: tuple[str, str], files: Files
) -> Iterator[Line]:
    """The classes of one target and metric, the mean last."""
    target, metric, differ = place
    names = dict.fromkeys(key[2] for key in group.scores if key[1] == target and key[3] == metric)
    samples = {} if differ else samples_on(rows, pair, target, metric, files)
    for name in [*(name for name in names if name != "mean"), "mean"]:
        left, right = (group.scores.get((entry, target, name, metric), ABSENT) for entry in pair)
        because = differ or next((score.reason for score in (left, right) if score.value is None), "")
        drawn = samples if name == "mean" else {key: one for key, one in samples.items() if key == name}
        interval = None if because else _interval(drawn, pair, metric)
        yield Line(target, name, metric, left, right, interval, because)


def _interval(samples: Mapping[str, Sample], pair: tuple[str, str], metric: str) -> tuple[float, float] | None:
    """The interval of one class or of a mean over several; None where nothing can be drawn."""
    if not samples or (len(samples) == 1 and not any(sample.drawn for sample in samples.values())):
        return None
    (found,) = differences({"": samples}, pair, metric, DRAWS)
    return found.low, found.high


def _overall(
    board: Board,
    rows: pd.DataFrame,
    among: tuple[tuple[str, str], Sequence[str]],
    metric: str,
    files: Files,
) -> Overall | None:
    pair, targets = among
    comparable = rows[rows["comparable"]]
    ours = comparable[comparable["entry"].isin(pair) & comparable["target"].isin(targets)]
    contest = contest_of(group_of(board, ours), ours, metric) if len(ours) else None
    data = samples_of(contest, files) if contest is not None else {}
    if contest is None or not data:
        return None
    found = next(one for one in differences(data, list(pair), metric, DRAWS))
    every = contest_of(group_of(board, comparable), comparable, metric)
    ranks, rivals = _ranks(every.entries, samples_of(every, Files({})), metric) if every is not None else ({}, 0)
    shown = {entry: ranks[entry] for entry in pair} if set(pair) <= ranks.keys() else {}
    return Overall(metric, found, shown, rivals)


def _ranks(
    entries: Sequence[str], data: Mapping[str, Mapping[str, Sample]], metric: str
) -> tuple[dict[str, tuple[int, int]], int]:
    return (rank_intervals(differences(data, entries, metric), entries), len(entries)) if data else ({}, 0)
