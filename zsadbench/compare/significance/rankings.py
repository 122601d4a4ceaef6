"""Rankings of a comparability group: means over common data sets with rank intervals, of all data sets or a domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zsadbench.compare.board import Board
from zsadbench.compare.frame import printed
from zsadbench.compare.groups import Group
from zsadbench.compare.significance.differences import FEWEST, LEVEL, Sample, differences, rank_intervals
from zsadbench.compare.summary import Score, common_targets, target_means

EVERY_DOMAIN = ""


class Ranking(NamedTuple):
    """The methods of one group ranked by one metric.

    Attributes:
        metric: the metric.
        domain: the domain of the data sets; `EVERY_DOMAIN` for all.
        targets: the data sets over which the means are taken: those that all ranked methods have.
        means: entry → mean over `targets`, a fraction, best first.
        ranks: entry → rank; entries printed alike share the better one.
        intervals: entry → first and last possible rank (`differences.rank_intervals`).
        rivals: the other entries that the test does not tell apart from the first one; all others without a test.
        tested: whether there are enough data sets for a test; without one every rank is possible.
        left_out: entry → why it is not ranked.
    """

    metric: str
    domain: str
    targets: list[str]
    means: Mapping[str, float]
    ranks: Mapping[str, int]
    intervals: Mapping[str, tuple[int, int]]
    rivals: list[str]
    tested: bool
    left_out: Mapping[str, str]


def rankings(board: Board, group: Group, metrics: Sequence[str]) -> Iterator[Ranking]:
    """A ranking per metric over all data sets of `group` and, where there are several domains, per domain.

    A metric that no entry has on a domain has no ranking there.
    """
    domains = list(dict.fromkeys(board.dataset(target).domain for target in group.targets))
    for metric in metrics:
        for domain in [EVERY_DOMAIN, *(domains if len(domains) > 1 else [])]:
            targets = [name for name in group.targets if domain in {EVERY_DOMAIN, board.dataset(name).domain}]
            ranking = _ranking(board, group, metric, domain, targets)
            if ranking is not None:
                yield ranking


def _ranking(board: Board, group: Group, metric: str, domain: str, targets: Sequence[str]) -> Ranking | None:
    sets_of = {
        entry: {name for name in targets if _counts(group.scores.get((entry, name, "mean", metric)))}
        for entry in group.entries
    }
    entries, common = _with_common_sets(group, metric, targets, sets_of)
    if not entries:
        return None
    values = target_means(group.scores, entries, common, metric)
    means = {entry: value for entry, value in values.items() if value is not None}
    means = dict(sorted(means.items(), key=lambda pair: -pair[1]))
    decimals = group.selection.decimals
    shown = [printed(value, decimals) for value in means.values()]
    tested = len(common) >= FEWEST
    pairs = differences(_samples(group, metric, common, entries), entries, metric, draws=1)
    first = next(iter(means))
    worse = {name for pair in pairs if first in pair[:2] and pair.p is not None and pair.p < LEVEL for name in pair[:2]}
    reasons = {entry: _reason(board, sets_of[entry], common) for entry in group.entries if entry not in means}
    return Ranking(
        metric,
        domain,
        common,
        means,
        {entry: 1 + shown.index(printed(value, decimals)) for entry, value in means.items()},
        rank_intervals(pairs, entries),
        [entry for entry in means if entry != first and entry not in worse],
        tested,
        reasons,
    )


def _counts(score: Score | None) -> bool:
    return score is not None and score.comparable and score.value is not None


def _with_common_sets(
    group: Group, metric: str, targets: Sequence[str], sets_of: Mapping[str, set[str]]
) -> tuple[list[str], list[str]]:
    """The entries that are ranked, and their common data sets.

    All entries with a comparable number where they share a data set; otherwise the entries with most data sets, as
    many as make the product of entries and common data sets largest.
    """
    rivals = [entry for entry in group.entries if sets_of[entry]]
    ordered = sorted(rivals, key=lambda entry: -len(sets_of[entry]))
    choices = [rivals, *(ordered[:count] for count in range(1, len(ordered)))] if rivals else []
    commons = [common_targets(group.scores, choice, targets, [metric]) for choice in choices]
    if commons and commons[0]:
        return rivals, commons[0]
    products = [len(choice) * len(common) for choice, common in zip(choices, commons, strict=True)]
    if not any(products):
        return [], []
    best = products.index(max(products))
    return choices[best], commons[best]


def _samples(group: Group, metric: str, targets: Sequence[str], entries: Sequence[str]) -> dict[str, dict[str, Sample]]:
    """Means over classes and seeds as `differences` takes them."""
    scores = group.scores
    return {
        target: {"mean": Sample({name: np.array([scores[name, target, "mean", metric].value]) for name in entries})}
        for target in targets
    }


def _reason(board: Board, own: set[str], common: Sequence[str]) -> str:
    """Why an entry is not ranked."""
    if not own:
        return "no comparable number"
    lacking = [board.dataset(target).title for target in common if target not in own]
    return f"not measured on {', '.join(lacking)}"
