"""Tables of significance: differences with intervals and tests, and mean ranks, per comparability group and metric."""

from __future__ import annotations

from collections.abc import Sequence

from zsadbench.compare.board import Board
from zsadbench.compare.significance.comparisons import (
    Comparison,
    comparisons,
    critical_differences,
    record_files,
    samples_of,
)
from zsadbench.compare.significance.critical_difference import CriticalDifference
from zsadbench.compare.significance.differences import FEWEST, Difference, differences, p_text, rank_intervals
from zsadbench.compare.tables.layout import Number, Row, Table

COLUMNS = ("data sets", "difference", "95 % interval", "p (Wilcoxon, Holm)")
BOOTSTRAP = "Interval: paired bootstrap over data sets, classes, images (of image metrics) and seeds."
NO_TEST = f"Fewer than {FEWEST} data sets: no test over data sets."
RANKS = "Rank interval: 1 + the methods that are significantly better, to all but those that are significantly worse."
CRITICAL = "Friedman's test and Nemenyi's critical difference; the pairwise tests detect more differences."


def significance_tables(board: Board) -> list[Table]:
    """One table per comparison, with one row per pair of methods; empty where no two methods can be compared."""
    files, tables = record_files(board), []
    for comparison in comparisons(board):
        samples = samples_of(comparison, files)
        if samples:
            tables.append(_difference_table(comparison, differences(samples, comparison.entries, comparison.metric)))
    return tables


def _difference_table(comparison: Comparison, pairs: Sequence[Difference]) -> Table:
    ranks = rank_intervals(pairs, comparison.entries)
    shown = ", ".join(f"{name} {first}-{last}" for name, (first, last) in ranks.items())
    notes = (BOOTSTRAP, *([NO_TEST] if pairs[0].p is None else []), RANKS, f"Rank intervals: {shown}.")
    rows = tuple(Row(f"{pair.left} against {pair.right}", _difference_cells(pair)) for pair in pairs)
    key = f"significance-{comparison.number}-{comparison.metric}"
    return Table(key, f"Differences in points of {comparison.caption}", "methods", COLUMNS, rows, notes)


def _difference_cells(pair: Difference) -> tuple[str, ...]:
    interval = f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
    p = "-" if pair.p is None else p_text(pair.p).removeprefix("= ")
    return str(pair.sets), f"{100 * pair.mean:+.1f}", interval, p


def critical_tables(board: Board) -> list[Table]:
    """One table of mean ranks per comparison of at least three methods, with Friedman's and Nemenyi's results."""
    return [_rank_table(comparison, result) for comparison, result in critical_differences(board)]


def _rank_table(comparison: Comparison, result: CriticalDifference) -> Table:
    rows = tuple(
        Row(name, ((Number(rank, digits=2),), ", ".join(_not_told_apart(name, result)) or "-"))
        for name, rank in result.ranks.items()
    )
    test = (
        f"No test: {result.reason}."
        if result.p is None
        else f"{result.sets} data sets: Friedman p {p_text(result.p)}; critical difference {result.distance:.2f} ranks."
    )
    key = f"ranks-{comparison.number}-{comparison.metric}"
    columns = ("mean rank", "not told apart from")
    return Table(key, f"Mean ranks by {comparison.caption}", "method", columns, rows, (CRITICAL, test))


def _not_told_apart(name: str, result: CriticalDifference) -> list[str]:
    """The methods that the test does not tell apart from `name`; all others where there is no test."""
    cliques = result.cliques if result.p is not None else (tuple(result.ranks),)
    return list(dict.fromkeys(other for clique in cliques if name in clique for other in clique if other != name))
