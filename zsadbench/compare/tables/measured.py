"""Tables of measured numbers: methods over data sets, and one method's classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import Group, groups
from zsadbench.compare.summary import Score, average_ranks, common_targets, marks, target_means
from zsadbench.compare.tables.layout import APART, Number, Row, Table


def main_tables(board: Board) -> list[Table]:
    """One table a comparability group: data sets down, methods across, pairs of metrics in the cells."""
    return [main_table(board, group, number) for number, group in enumerate(groups(board), start=1)]


def main_table(board: Board, group: Group, number: int) -> Table:
    """One group's table: a block a domain and level, its means and average ranks below, then the group's notes."""
    rows: list[Row] = []
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        for level, metrics in group.levels.items():
            rows += _block(board, group, targets, metrics, f"{domain}, {level} ({_pair(metrics)})")
    caption = f"Measured: {group.name}."
    key = f"measured-{number}"
    return Table(key, caption, "data set", tuple(group.entries), tuple(rows), group.notes, group.cites)


def _pair(metrics: Sequence[str]) -> str:
    return ", ".join(HEADINGS.get(metric, metric) for metric in metrics)


def _block(board: Board, group: Group, targets: Sequence[str], metrics: tuple[str, ...], block: str) -> Iterator[Row]:
    """The rows of one domain and level; data sets on which no method has a number are left out."""
    shown = [target for target in targets if _any(group, target, metrics)]
    for target in shown:
        yield Row(board.dataset(target).title, _cells(group, target, "mean", metrics), block)
    rivals = [entry for entry in group.entries if _comparable(group, entry, shown)]
    common = common_targets(group.scores, rivals, shown, metrics)
    if len(rivals) < 2 or not common:
        return
    means = {metric: target_means(group.scores, rivals, common, metric) for metric in metrics}
    ranks = {metric: average_ranks(group.scores, rivals, common, metric) for metric in metrics}
    best = {metric: marks(means[metric]) for metric in metrics}
    yield Row(f"mean of {len(common)} common", _means(group, metrics, means, best), block, summary=True)
    shown_ranks = tuple(tuple(Number(ranks[m].get(entry)) for m in metrics) for entry in group.entries)
    yield Row(f"average rank over {len(common)}", shown_ranks, block, summary=True)


def _any(group: Group, target: str, metrics: Sequence[str]) -> bool:
    found = [group.scores.get((entry, target, "mean", metric)) for entry in group.entries for metric in metrics]
    return any(score is not None and score.value is not None for score in found)


def _comparable(group: Group, entry: str, targets: Sequence[str]) -> bool:
    """Whether any comparable number of `entry` stands here; others never enter a mean or a rank."""
    return any(
        score.comparable and score.value is not None
        for (name, target, class_name, _), score in group.scores.items()
        if name == entry and target in targets and class_name == "mean"
    )


def _means(
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
    """One row: every entry's numbers, marked among those that are comparable."""
    scores = {
        (entry, metric): group.scores.get((entry, target, class_name, metric))
        for entry in group.entries
        for metric in metrics
    }
    best = {}
    for metric in metrics:
        rivals = {entry: scores[entry, metric] for entry in group.entries}
        best[metric] = marks({entry: one.value for entry, one in rivals.items() if one is not None and one.comparable})
    return tuple(
        tuple(number_of(scores[entry, metric], best[metric].get(entry, "")) for metric in metrics)
        for entry in group.entries
    )


def number_of(score: Score | None, mark: str = "") -> Number:
    """A score in percent; what is not comparable is marked so."""
    if score is None or score.value is None:
        return Number()
    spread = None if score.spread is None else 100 * score.spread
    return Number(100 * score.value, spread, mark if score.comparable else APART)


def class_tables(board: Board) -> dict[str, list[Table]]:
    """Target → one table a method: its classes down; pixel metrics, then image metrics across; the mean last."""
    found: dict[str, list[Table]] = {}
    for number, group in enumerate(groups(board), start=1):
        metrics = [*group.levels["pixel"], *group.levels["image"]]
        for target in group.targets:
            for entry in group.entries:
                classes = [key[2] for key in group.scores if key[:2] == (entry, target) and key[3] == metrics[0]]
                if classes:
                    key = f"measured-{number}-{target}-{entry}"
                    made = _classes(board, group, (entry, target, key), [*_sorted(classes)], metrics)
                    found.setdefault(target, []).append(made)
    return found


def _sorted(classes: Sequence[str]) -> Iterator[str]:
    yield from (name for name in classes if name != "mean")
    yield "mean"


def _classes(
    board: Board, group: Group, place: tuple[str, str, str], classes: Sequence[str], metrics: Sequence[str]
) -> Table:
    entry, target, key = place
    rows = []
    for name in classes:
        scores = [group.scores.get((entry, target, name, metric)) for metric in metrics]
        cells = tuple((number_of(score),) for score in scores)
        rows.append(Row(name, cells, "mean" if name == "mean" else "", summary=name == "mean"))
    caption = f"{entry} on {board.dataset(target).title} by class. Measured: {group.name}."
    notes = tuple(note for note in group.notes if note.startswith((f"{entry}: ", "not comparable", "±")))
    names = {entry.partition(" [")[0], board.dataset(target).title}
    cites = tuple(one for one in group.cites if one[0] in names)
    return Table(key, caption, "class", tuple(HEADINGS[metric] for metric in metrics), tuple(rows), notes, cites)
