"""Ablation tables of measured methods: runs of one method that differ in its options and its recipe alone.

The first row is the baseline: the run that the selection names as the reference, else the one with most options at
their defaults. The other rows have their difference from it, with the interval of the paired bootstrap of `compare`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from zsadbench import registry
from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.frame import GROUP, HEADINGS
from zsadbench.compare.groups import Group, group_of, notes_of
from zsadbench.compare.significance.comparisons import RecordFiles, record_files, samples_on
from zsadbench.compare.significance.differences import Sample, differences
from zsadbench.compare.significance.pair import DRAWS, interval_of
from zsadbench.compare.significance.pixel_counts import PixelCounts
from zsadbench.compare.summary import Score, common_targets, target_means
from zsadbench.compare.tables.layout import Cell, Difference, Number, Row, Table
from zsadbench.compare.tables.measured import number_of
from zsadbench.errors import UsageError
from zsadbench.records import canonical

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.records import Cell as RecordCell

KEY = "ablation_"  # before the method, in the name of a table
SAME = ("code", "image_size", "precision", "weights_sha256", "extra_weights", "checkpoint_sha256", "limit")
ABOUT = (
    "The first row is the baseline. Difference: a row minus the baseline on the same images, in points, with the 95 % "
    "interval of a paired bootstrap over images, classes and seeds (over data sets, too, in means over them)."
)


class _Run(NamedTuple):
    """An entry: what it shares with others, its options, and by target what it learned from and its recipe."""

    entry: str
    same: str
    learned: Mapping[str, str]
    options: Mapping[str, Any]
    recipes: Mapping[str, Mapping[str, Any]]


class _Ablation(NamedTuple):
    """Runs that differ in options alone, the baseline first: entry → the values of the keys that vary."""

    method: str
    group: Group
    values: Mapping[str, Mapping[str, Any]]
    files: RecordFiles

    @property
    def baseline(self) -> str:
        return next(iter(self.values))


def own_ablation_tables(board: Board) -> list[Table]:
    """One table per comparability group and method with several such runs on a common data set."""
    cells = {record.signature: record.cell for _, record in board.records}
    files = record_files(board, PixelCounts(DRAWS))
    tables: list[Table] = []
    for _, rows in board.measured.groupby(GROUP, sort=False):
        for method, of_method in rows.groupby("method", sort=False):
            for runs in _alike(_runs(of_method, cells)):
                values = _ordered(str(method), runs, board.selection.reference)
                own = rows[rows["entry"].isin(list(values))]
                table = _table(board, _Ablation(str(method), group_of(board, own), values, files))
                if table is not None:
                    before = sum(other.key.startswith(table.key) for other in tables)
                    tables.append(replace(table, key=f"{table.key}-{before + 1}") if before else table)
    return tables


def _runs(rows: pd.DataFrame, cells: Mapping[str, RecordCell]) -> Iterator[_Run]:
    """Yield the entries of a method; one without a record at hand is passed over."""
    for entry, of_entry in rows.groupby("entry", sort=False):
        signatures = of_entry.drop_duplicates("target")[["target", "signature"]].itertuples(index=False)
        found = {str(target): cells[signature] for target, signature in signatures if signature in cells}
        if found:
            cell = next(iter(found.values()))
            learned = {target: canonical(each.get("aux")) for target, each in found.items()}
            recipes = {target: each.get("recipe") or {} for target, each in found.items()}
            yield _Run(str(entry), canonical({key: cell.get(key) for key in SAME}), learned, cell["options"], recipes)


def _alike(runs: Iterator[_Run]) -> list[list[_Run]]:
    """Group runs that share all but options and recipe on their common targets; groups of one are left out."""
    groups: list[list[_Run]] = []
    for run in runs:
        fitting = (group for group in groups if all(_differ_in_options_alone(run, other) for other in group))
        if (group := next(fitting, None)) is None:
            groups.append([run])
        else:
            group.append(run)
    return [group for group in groups if len(group) > 1]


def _differ_in_options_alone(run: _Run, other: _Run) -> bool:
    common = run.learned.keys() & other.learned.keys()
    return run.same == other.same and all(run.learned[target] == other.learned[target] for target in common)


def _ordered(method: str, runs: Sequence[_Run], reference: str) -> dict[str, dict[str, Any]]:
    """Entry → the values of what varies, defaults included: the baseline, then by number of changes and values."""
    defaults = _defaults(method)
    common = next((target for target in runs[0].recipes if all(target in run.recipes for run in runs)), "")
    whole = {}
    for run in runs:
        recipe = {f"recipe.{key}": value for key, value in run.recipes.get(common, {}).items()}
        whole[run.entry] = {**defaults, **run.options, **recipe}
    keys = dict.fromkeys(key for values in whole.values() for key in values)
    texts = {entry: {key: _text(values.get(key)) for key in keys} for entry, values in whole.items()}
    varying = [key for key in keys if len({own[key] for own in texts.values()}) > 1]

    def place(entry: str) -> tuple[Any, ...]:
        changed = [key for key in varying if texts[entry][key] != _text(defaults.get(key))]
        return entry != reference, len(changed), [_sortable(texts[entry][key]) for key in varying]

    return {entry: {key: whole[entry].get(key) for key in varying} for entry in sorted(whole, key=place)}


def _defaults(method: str) -> dict[str, Any]:
    """All options of a method and the fields of its recipe at their defaults; empty for a method that is not here."""
    try:
        card = registry.method_card(method)
    except UsageError:
        return {}
    recipe = {f"recipe.{key}": value for key, value in asdict(card.recipe).items()} if card.recipe else {}
    options: dict[str, Any] = json.loads(json.dumps(asdict(card.options()), default=str))
    return {**options, **{key: value for key, value in recipe.items() if not isinstance(value, dict)}}


def _text(value: Any) -> str:
    """Spell the value of an option; `default` where neither record nor card says it."""
    if value is None:
        return "default"
    if isinstance(value, tuple | list):
        return "+".join(map(_text, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sortable(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), ""
    except ValueError:
        return True, 0.0, text


def _table(board: Board, ablation: _Ablation) -> Table | None:
    """The table of one ablation: a block per data set, and the means over those that all runs have."""
    group, rows = ablation.group, list[Row]()
    metrics = [metric for of_level in group.levels.values() for metric in of_level]
    shown = [target for target in group.targets if _measured_on(group, ablation.baseline, target)]
    for target in shown:
        entries = [entry for entry in ablation.values if _measured_on(group, entry, target)]
        if len(entries) > 1:
            block = board.dataset(target).title
            rows += [_row(ablation, entry, _cells(ablation, entry, target, metrics), block) for entry in entries]
    if not rows:
        return None
    over_sets = common_targets(group.scores, list(ablation.values), shown, metrics)
    if len(over_sets) > 1:
        block = f"mean of {len(over_sets)} data sets"
        cells = {entry: _mean_cells(ablation, entry, over_sets, metrics) for entry in ablation.values}
        rows += [_row(ablation, entry, cells[entry], block) for entry in ablation.values]
    headings = [HEADINGS.get(metric, metric) for metric in metrics]
    return Table(
        key=f"{KEY}{ablation.method}",
        caption=f"{ablation.method}: ablation of its options. Measured: {group.name}.",
        head="setting",
        columns=tuple(text for heading in headings for text in (heading, "difference")),
        rows=tuple(rows),
        notes=(ABOUT, *notes_of(board, group.rows, marked=False)),
        cites=cites_of(board, group.rows),
        over=tuple(f"{metric.partition('_')[0]} level" for metric in metrics for _ in range(2)),
        switches=tuple(next(iter(ablation.values.values()))),
    )


def _measured_on(group: Group, entry: str, target: str) -> bool:
    return any(key[:3] == (entry, target, "mean") for key in group.scores)


def _row(ablation: _Ablation, entry: str, cells: tuple[Cell, ...], block: str) -> Row:
    """A row with the ticks of options that are true or false in all rows, and the values of the others."""
    ticks = [
        bool(value) if all(isinstance(other[key], bool) for other in ablation.values.values()) else _text(value)
        for key, value in ablation.values[entry].items()
    ]
    return Row(entry, cells, block, ticks=tuple(ticks))


def _cells(ablation: _Ablation, entry: str, target: str, metrics: Sequence[str]) -> tuple[Cell, ...]:
    """Value and difference from the baseline of each metric on one data set."""
    group, pair, cells = ablation.group, [entry, ablation.baseline], list[Cell]()
    for metric in metrics:
        own, base = (group.scores.get((name, target, "mean", metric)) for name in pair)
        cells.append((number_of(own, "", group.selection),))
        points = _points(own, base)
        if entry == ablation.baseline or points is None:
            cells.append("-")
        else:
            samples = samples_on(group.rows, pair, target, metric, ablation.files)
            cells.append(_difference(points, interval_of(samples, (entry, ablation.baseline), metric), group))
    return tuple(cells)


def _mean_cells(ablation: _Ablation, entry: str, targets: Sequence[str], metrics: Sequence[str]) -> tuple[Cell, ...]:
    """Value and difference from the baseline of each metric in the mean over data sets."""
    group, pair, cells = ablation.group, [entry, ablation.baseline], list[Cell]()
    for metric in metrics:
        means = target_means(group.scores, pair, targets, metric)
        own, base = means[entry] or 0.0, means[ablation.baseline] or 0.0  # defined on common targets
        cells.append((Number(100 * own, digits=group.selection.decimals),))
        samples: dict[str, dict[str, Sample]] = {
            target: samples_on(group.rows, pair, target, metric, ablation.files) for target in targets
        }
        if entry == ablation.baseline:
            cells.append("-")
        elif all(samples.values()):
            (found,) = differences(samples, pair, metric, DRAWS)
            cells.append(_difference(100 * (own - base), (found.low, found.high), group))
        else:
            cells.append(_difference(100 * (own - base), None, group))
    return tuple(cells)


def _points(own: Score | None, base: Score | None) -> float | None:
    if own is None or base is None or own.value is None or base.value is None:
        return None
    return 100 * (own.value - base.value)


def _difference(points: float, interval: tuple[float, float] | None, group: Group) -> Difference:
    """`+1.2 [-0.3, +2.5]`, without the interval where nothing can be resampled."""
    low, high = (100 * interval[0], 100 * interval[1]) if interval else (None, None)
    return Difference.of(points, low, high, group.selection.decimals)
