"""Tables of significance per comparability group and metric: all pairs of methods, one reference, mean ranks."""

from __future__ import annotations

from collections.abc import Sequence

from zsadbench.compare.board import Board
from zsadbench.compare.significance.comparisons import (
    Comparison,
    ComparisonResult,
    comparison_results,
    critical_differences,
    reference_of,
)
from zsadbench.compare.significance.critical_difference import FEWEST_METHODS, CriticalDifference
from zsadbench.compare.significance.differences import (
    FEWEST,
    LEVEL,
    Difference,
    p_text,
    pair_tests,
    rank_intervals,
    smallest_p,
)
from zsadbench.compare.tables.layout import Number, Row, Table

COLUMNS = ("data sets", "difference", "95 % interval", "p (Wilcoxon)")
ALL_PAIRS, REFERENCE = "p (Holm, all pairs)", "p (Holm, one reference)"
BOOTSTRAP = "Interval: paired bootstrap over data sets, classes, images (of image metrics) and seeds."
NO_TEST = f"Fewer than {FEWEST} data sets: no test over data sets."
RANKS = "Rank interval: 1 + the methods that are significantly better, to all but those that are significantly worse."
CRITICAL = "Friedman's test and Nemenyi's critical difference; the pairwise tests detect more differences."
CHOSEN = (
    "The reference is the method with the best mean of these numbers, chosen after measuring, so that its p are too "
    "small; name one in advance: report --reference."
)


def significance_tables(board: Board) -> list[Table]:
    """One table per comparison, with one row per pair of methods, then one with the pairs of the reference.

    A comparison of two methods has the first alone. Empty where no two methods can be compared.
    """
    tables = []
    for tested in comparison_results(board):
        tables.append(_difference_table(tested))
        reference = reference_of(board, tested.comparison)
        if len(tested.comparison.entries) >= FEWEST_METHODS and reference is not None:
            tables.append(_reference_table(tested, reference, named=bool(board.selection.reference)))
    return tables


def _difference_table(tested: ComparisonResult) -> Table:
    comparison, pairs = tested
    ranks = rank_intervals(pairs, comparison.entries)
    shown = ", ".join(f"{name} {first}-{last}" for name, (first, last) in ranks.items())
    about = f"Rank intervals over {comparison.scope}: {shown}."
    notes = (BOOTSTRAP, *_limits(pairs[0].sets, len(pairs), "all pairs"), RANKS, about)
    rows = tuple(Row(f"{pair.left} against {pair.right}", _difference_cells(pair)) for pair in pairs)
    caption = f"Differences in points of {comparison.caption}"
    return Table(f"significance-{comparison.key}", caption, "methods", (*COLUMNS, ALL_PAIRS), rows, notes)


def _reference_table(tested: ComparisonResult, reference: str, *, named: bool) -> Table:
    comparison, pairs = tested.comparison, tested.against(reference)
    notes = (BOOTSTRAP, *_limits(pairs[0].sets, len(pairs), "one reference"), *(() if named else (CHOSEN,)))
    rows = tuple(Row(f"{reference} against {pair.right}", _difference_cells(pair)) for pair in pairs)
    caption = f"Differences of {reference} from every other method in points of {comparison.caption}"
    return Table(f"reference-{comparison.key}", caption, "methods", (*COLUMNS, REFERENCE), rows, notes)


def _difference_cells(pair: Difference) -> tuple[str, ...]:
    interval = f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
    return str(pair.sets), f"{100 * pair.mean:+.1f}", interval, _p_cell(pair.raw), _p_cell(pair.p)


def _p_cell(p: float | None) -> str:
    return "-" if p is None else p_text(p).removeprefix("= ")


def _limits(sets: int, pairs: int, what: str) -> list[str]:
    """What the number of data sets allows: the smallest p, before and after the correction."""
    before, after = smallest_p(sets), smallest_p(sets, pairs)
    noun = "data set allows" if sets == 1 else "data sets allow"
    smallest = f"Smallest p that {sets} {noun}: {p_text(before).removeprefix('= ')}"
    if sets < FEWEST:
        return [NO_TEST, f"{smallest}, which is above {LEVEL}."]
    if pairs > 1:
        smallest += f"; after Holm's correction over {pairs} comparisons ({what}): {p_text(after).removeprefix('= ')}"
    return [f"{smallest}." if after < LEVEL else f"{smallest}, so that no difference can be significant."]


def critical_tables(board: Board) -> list[Table]:
    """Mean ranks per comparison of at least three methods, with rank intervals, Friedman's and Nemenyi's results.

    One table is over all data sets, then one within each domain where there are several.
    """
    return [_rank_table(comparison, result) for comparison, result in critical_differences(board)]


def _rank_table(comparison: Comparison, result: CriticalDifference) -> Table:
    values = comparison.values()
    pairs = pair_tests(values.to_numpy(dtype=float), comparison.entries)
    intervals = rank_intervals(pairs, comparison.entries)
    rows = tuple(
        Row(name, ((Number(rank, digits=2),), "{}-{}".format(*intervals[name]), _not_told_apart(name, result)))
        for name, rank in result.ranks.items()
    )
    test = (
        f"No test: {result.reason}."
        if result.p is None
        else f"{result.sets} data sets: Friedman p {p_text(result.p)}; critical difference {result.distance:.2f} ranks."
    )
    key, columns = f"ranks-{comparison.key}", ("mean rank", "rank interval", "not told apart from")
    caption = f"Mean ranks by {comparison.caption}"
    notes = (RANKS, *_limits(result.sets, len(pairs), "all pairs"), CRITICAL, test)
    return Table(key, caption, "method", columns, rows, notes)


def _not_told_apart(name: str, result: CriticalDifference) -> str:
    """The methods that the test does not tell apart from `name`; all others where there is no test; `-` for none."""
    cliques = result.cliques if result.p is not None else (tuple(result.ranks),)
    others: Sequence[str] = [other for clique in cliques if name in clique for other in clique if other != name]
    return ", ".join(dict.fromkeys(others)) or "-"
