"""Tables of measured numbers: methods over data sets, and the classes of one method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import DATA, Group, groups
from zsadbench.compare.summary import Score, average_ranks, common_targets, marks, target_means
from zsadbench.compare.tables.layout import APART, Number, Row, Table


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
    key = f"measured-{number}"
    return Table(key, caption, "data set", tuple(group.entries), tuple(rows), group.notes, group.cites)


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
    ranks = {metric: average_ranks(group.scores, rivals, common, metric) for metric in metrics}
    best = {metric: marks(means[metric]) for metric in metrics}
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
        return Number(None if value is None else 100 * value, mark=best[metric].get(entry, ""))

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
        best[metric] = marks({entry: score.value for entry, score in rivals.items() if score and score.comparable})
    return tuple(
        tuple(number_of(scores[entry, metric], best[metric].get(entry, "")) for metric in metrics)
        for entry in group.entries
    )


def number_of(score: Score | None, mark: str = "") -> Number:
    """A score in percent with a mark; a score that is not comparable is marked so instead."""
    if score is None or score.value is None:
        return Number()
    spread = None if score.spread is None else 100 * score.spread
    return Number(100 * score.value, spread, mark if score.comparable else APART)


def class_tables(board: Board) -> dict[str, list[Table]]:
    """Target → one table per method and group: one row per class, then the mean; pixel metrics, then image metrics."""
    tables: dict[str, list[Table]] = {}
    for number, group in enumerate(groups(board), start=1):
        for target, entry in product(group.targets, group.entries):
            table = _class_table(board, group, number, target, entry)
            if table is not None:
                tables.setdefault(target, []).append(table)
    return tables


def _class_table(board: Board, group: Group, number: int, target: str, entry: str) -> Table | None:
    """The classes of one entry on one target; None where the entry was not run on it."""
    metrics = [*group.levels["pixel"], *group.levels["image"]]
    classes = [key[2] for key in group.scores if key[:2] == (entry, target) and key[3] == metrics[0]]
    if not classes:
        return None
    rows = []
    for name in [*(name for name in classes if name != "mean"), "mean"]:
        scores = [group.scores.get((entry, target, name, metric)) for metric in metrics]
        cells = tuple((number_of(score),) for score in scores)
        rows.append(Row(name, cells, "mean" if name == "mean" else "", summary=name == "mean"))
    title = board.dataset(target).title
    caption = f"{entry} on {title} by class. Measured: {group.name}."
    beginnings = (f"{DATA}{title}: ", f"{entry}: ", "not comparable", "±")
    notes = tuple(note for note in group.notes if note.startswith(beginnings))
    cites = tuple(cite for cite in group.cites if cite[0] in {entry.partition(" [")[0], title})
    columns = tuple(HEADINGS[metric] for metric in metrics)
    return Table(f"measured-{number}-{target}-{entry}", caption, "class", columns, tuple(rows), notes, cites)
