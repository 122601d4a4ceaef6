"""Significance as tables: for every comparability group and metric, differences with intervals, and ranks."""

from __future__ import annotations

from collections.abc import Sequence

from zsadbench.compare.board import Board
from zsadbench.compare.significance.contests import Contest, contests, critical_differences, files_of, samples_of
from zsadbench.compare.significance.critical_difference import CriticalDifference
from zsadbench.compare.significance.differences import FEWEST, Difference, differences, p_text, rank_intervals
from zsadbench.compare.tables.layout import Number, Row, Table

COLUMNS = ("data sets", "difference", "95 % interval", "p (Wilcoxon, Holm)")
HOW = "Interval: paired bootstrap over data sets, classes, images (of image metrics) and seeds."
NO_TEST = f"Fewer than {FEWEST} data sets: no test over data sets."
RANKS = "Rank interval: 1 + the methods that are significantly better, to all but those that are significantly worse."
EXTRA = "An extra beside the pairwise tests, which see more: Friedman's test, Nemenyi's critical difference."


def significance_tables(board: Board) -> list[Table]:
    """A table a contest: every two methods; empty where there is none."""
    files, tables = files_of(board), []
    for contest in contests(board):
        data = samples_of(contest, files)
        if data:
            tables.append(_table(contest, differences(data, contest.entries, contest.metric)))
    return tables


def critical_tables(board: Board) -> list[Table]:
    """The mean ranks of every contest of at least three methods, and what Friedman and Nemenyi say of them."""
    return [_ranked(contest, found) for contest, found in critical_differences(board)]


def _ranked(contest: Contest, found: CriticalDifference) -> Table:
    rows = tuple(
        Row(name, ((Number(rank, digits=2),), ", ".join(_alike(name, found)) or "-"))
        for name, rank in found.ranks.items()
    )
    key = f"ranks-{contest.number}-{contest.metric}"
    columns = ("mean rank", "not told apart from")
    return Table(key, f"Mean ranks by {contest.caption}", "method", columns, rows, (EXTRA, verdict_of(found)))


def verdict_of(found: CriticalDifference) -> str:
    """One line: the test, or why there is none."""
    if found.p is None:
        return f"No test: {found.reason}."
    return f"{found.sets} data sets: Friedman p {p_text(found.p)}; critical difference {found.distance:.2f} ranks."


def _alike(name: str, found: CriticalDifference) -> dict[str, None]:
    others = (other for clique in found.cliques if name in clique for other in clique if other != name)
    return dict.fromkeys(others) if found.p is not None else dict.fromkeys(one for one in found.ranks if one != name)


def _table(contest: Contest, found: Sequence[Difference]) -> Table:
    ranks = rank_intervals(found, contest.entries)
    shown = ", ".join(f"{name} {first}-{last}" for name, (first, last) in ranks.items())
    notes = (HOW, *([NO_TEST] if found[0].p is None else []), RANKS, f"Rank intervals: {shown}.")
    rows = tuple(Row(f"{one.left} against {one.right}", _cells(one)) for one in found)
    key = f"significance-{contest.number}-{contest.metric}"
    return Table(key, f"Differences in points of {contest.caption}", "methods", COLUMNS, rows, notes)


def _cells(one: Difference) -> tuple[str, ...]:
    interval = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
    return str(one.sets), f"{100 * one.mean:+.1f}", interval, "-" if one.p is None else p_text(one.p).removeprefix("= ")
