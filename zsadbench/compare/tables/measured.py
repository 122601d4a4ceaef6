"""Tables of measured numbers: methods over data sets, and the classes of one method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of, venues_of
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import Group, groups, notes_of
from zsadbench.compare.summary import Score, average_ranks, common_targets, marks, target_means
from zsadbench.compare.tables.layout import APART, Number, Row, Table, over_levels
from zsadbench.selection import EVERYTHING, Selection


def main_tables(board: Board) -> list[Table]:
    """One table per comparability group: one row per data set, one column per method, pairs of metrics in the cells."""
    return [main_table(board, group, number) for number, group in enumerate(groups(board), start=1)]


def main_table(board: Board, group: Group, number: int) -> Table:
    """The table of one group: one block per domain and level, each with its means and average ranks at the end."""
    rows: list[Row] = []
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        for level, metrics in group.levels.items():
            headings = ", ".join(HEADINGS.get(metric, metric) for metric in metrics)
            rows += _block(board, group, targets, metrics, f"{domain}, {level} ({headings})")
    caption = f"Measured: {group.name}."
    key, notes = f"measured-{number}", group.notes
    venues = venues_of(board, group.rows)
    return Table(key, caption, "data set", tuple(group.entries), tuple(rows), notes, group.cites, venues=venues)


def _block(board: Board, group: Group, targets: Sequence[str], metrics: tuple[str, ...], block: str) -> Iterator[Row]:
    """The rows of one domain and level; data sets on which no method has a number are left out."""
    shown = [target for target in targets if _has_number(group, target, metrics)]
    for target in shown:
        yield Row(board.dataset(target).title, _cells(group, target, "mean", metrics), block)
    rivals = [entry for entry in group.entries if _has_comparable_number(group, entry, shown)]
    common = common_targets(group.scores, rivals, shown, metrics)
    if len(rivals) < 2 or not common:
        return
    means = {metric: target_means(group.scores, rivals, common, metric) for metric in metrics}
    decimals = group.selection.decimals
    ranks = {metric: average_ranks(group.scores, rivals, common, metric, decimals) for metric in metrics}
    best = {metric: marks(means[metric], decimals) for metric in metrics}
    yield Row(f"mean of {len(common)} common", _mean_cells(group, metrics, means, best), block, summary=True)
    rank_cells = tuple(tuple(Number(ranks[metric].get(entry)) for metric in metrics) for entry in group.entries)
    yield Row(f"average rank over {len(common)}", rank_cells, block, summary=True)


def _has_number(group: Group, target: str, metrics: Sequence[str]) -> bool:
    scores = [group.scores.get((entry, target, "mean", metric)) for entry in group.entries for metric in metrics]
    return any(score is not None and score.value is not None for score in scores)


def _has_comparable_number(group: Group, entry: str, targets: Sequence[str]) -> bool:
    """Whether `entry` has a comparable number on any of `targets`; other entries get no mean and no rank."""
    return any(
        score.comparable and score.value is not None
        for (name, target, class_name, _), score in group.scores.items()
        if name == entry and target in targets and class_name == "mean"
    )


def _mean_cells(
    group: Group,
    metrics: Sequence[str],
    means: Mapping[str, Mapping[str, float | None]],
    best: Mapping[str, Mapping[str, str]],
) -> tuple[tuple[Number, ...], ...]:
    def number(metric: str, entry: str) -> Number:
        value = means[metric].get(entry)
        mark, digits = best[metric].get(entry, ""), group.selection.decimals
        return Number(None if value is None else 100 * value, mark=mark, digits=digits)

    return tuple(tuple(number(metric, entry) for metric in metrics) for entry in group.entries)


def _cells(group: Group, target: str, class_name: str, metrics: Sequence[str]) -> tuple[tuple[Number, ...], ...]:
    """The cells of one row: the numbers of every entry, with marks among the comparable ones."""
    scores = {
        (entry, metric): group.scores.get((entry, target, class_name, metric))
        for entry in group.entries
        for metric in metrics
    }
    best = {}
    for metric in metrics:
        rivals = {entry: scores[entry, metric] for entry in group.entries}
        values = {entry: score.value for entry, score in rivals.items() if score and score.comparable}
        best[metric] = marks(values, group.selection.decimals)
    return tuple(
        tuple(number_of(scores[entry, metric], best[metric].get(entry, ""), group.selection) for metric in metrics)
        for entry in group.entries
    )


def number_of(score: Score | None, mark: str = "", selection: Selection = EVERYTHING) -> Number:
    """A score in percent with a mark; a score that is not comparable is marked so instead."""
    if score is None or score.value is None:
        return Number(remark="" if score is None else score.classes)
    spread = None if score.spread is None or selection.no_spread else 100 * score.spread
    return Number(100 * score.value, spread, mark if score.comparable else APART, selection.decimals, score.classes)


def class_tables(board: Board) -> dict[str, list[Table]]:
    """Target → per group one table of classes × methods, where there are several, and one table per method."""
    tables: dict[str, list[Table]] = {}
    for number, group in enumerate(groups(board), start=1):
        for target in group.targets:
            of_methods = [_class_table(board, group, number, target, entry) for entry in group.entries]
            found = [table for table in of_methods if table is not None]
            side_by_side = [_classes_and_methods(board, group, number, target)] if len(found) > 1 else []
            if found:
                tables.setdefault(target, []).extend([*side_by_side, *found])
    return tables


def _class_table(board: Board, group: Group, number: int, target: str, entry: str) -> Table | None:
    """One row per class of one entry on one target, then the mean; None where the entry was not run on it.

    Pixel metrics stand before image metrics, as in FB-CLIP's appendix.
    """
    metrics = [*group.levels["pixel"], *group.levels["image"]]
    names = _classes(group, target, [entry], metrics)
    if not names:
        return None
    rows = []
    for name in names:
        scores = [group.scores.get((entry, target, name, metric)) for metric in metrics]
        cells = tuple((number_of(score, "", group.selection),) for score in scores)
        rows.append(Row(name, cells, "mean" if name == "mean" else "", summary=name == "mean"))
    caption = f"{entry} on {board.dataset(target).title} by class. Measured: {group.name}."
    of_table = group.rows[(group.rows["entry"] == entry) & (group.rows["target"] == target)]
    notes, cites = notes_of(board, of_table, marked=False), cites_of(board, of_table)
    columns = tuple(HEADINGS.get(metric, metric) for metric in metrics)
    key, over = f"measured-{number}-{target}-{entry}", over_levels(metrics)
    return Table(key, caption, "class", columns, tuple(rows), notes, cites, over=over)


def _classes(group: Group, target: str, entries: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """The classes of a target that any of the entries has, `mean` last; empty where none was run on it."""
    names = [key[2] for key in group.scores if key[0] in entries and key[1] == target and key[3] in metrics]
    return [*(name for name in dict.fromkeys(names) if name != "mean"), *(["mean"] if "mean" in names else [])]


def _classes_and_methods(board: Board, group: Group, number: int, target: str) -> Table:
    """One row per class and level, one column per method that was run on the target."""
    of_table = group.rows[group.rows["target"] == target]
    group = group._replace(entries=[entry for entry in group.entries if entry in set(of_table["entry"])])
    rows: list[Row] = []
    for level, metrics in group.levels.items():
        block = f"{level} ({', '.join(HEADINGS.get(metric, metric) for metric in metrics)})"
        for name in _classes(group, target, group.entries, metrics):
            rows.append(Row(name, _cells(group, target, name, metrics), block))
    caption = f"{board.dataset(target).title} by class. Measured: {group.name}."
    notes, cites = notes_of(board, of_table), cites_of(board, of_table)
    key, columns, venues = f"measured-{number}-{target}-methods", tuple(group.entries), venues_of(board, of_table)
    return Table(key, caption, "class", columns, tuple(rows), notes, cites, venues=venues)
