"""The papers' ablations next to our runs: a run belongs to a printed row when it has the same options.

`zsadbench/papers` lists the options of every row. A run matches when all of its options, including those at their
defaults, equal those of the row. Best and second best are not marked here; the tables of `published` have the papers'
marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from zsadbench import registry
from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.frame import GROUP, HEADINGS
from zsadbench.compare.groups import Group, group_of, notes_of
from zsadbench.compare.paper_rows import PaperRow, PaperTable, why_left_out
from zsadbench.compare.tables.layout import Cell, Number, Row, Table
from zsadbench.compare.tables.measured import number_of
from zsadbench.compare.tables.published import LEVELS, PrintedTable, printed_numbers, printed_tables
from zsadbench.compare.tables.ticks import options_of, plain, row_name, with_ticks

if TYPE_CHECKING:
    import pandas as pd

BOTH = "In every pair of columns: as published, then measured. Ours are the runs with all the switches of the row."


class _Matches(NamedTuple):
    """The runs of one comparability group that match rows of one table.

    `entries` maps the label of a row to the entry, `copies` a data set to the copy whose numbers are shown.
    """

    group: Group
    entries: Mapping[str, str]
    remarks: tuple[str, ...]
    copies: Mapping[str, str]


def measured_ablation_tables(board: Board) -> list[Table]:
    """One table per printed ablation and comparability group that has a run of one of its rows."""
    return [
        _table(board, printed, matches, number)
        for printed in printed_tables(board)
        if printed.kind == "ablation"
        for number, matches in _matches(board, printed)
    ]


def _matches(board: Board, printed: PrintedTable) -> Iterator[tuple[int, _Matches]]:
    """The matches in every comparability group that has some, with the number of the group."""
    table = printed.described()
    if table is None:
        return
    described = [row for row in table.rows if not why_left_out(row)]
    wanted = {row.label: (row.method, str(row.shots), options_of(row)) for row in described}
    cells = {record.signature: record.cell for _, record in board.records}
    methods = {row.method for row in described}
    for number, (_, rows) in enumerate(board.measured.groupby(GROUP, sort=False), start=1):
        ours = rows[rows["method"].isin(methods)].drop_duplicates("entry")
        runs = {
            str(run["entry"]): (str(run["method"]), str(run["shots"]), _options_of_run(cells[run["signature"]]))
            for _, run in ours.iterrows()
        }
        entries = {label: [entry for entry, run in runs.items() if run == row] for label, row in wanted.items()}
        first = {label: names[0] for label, names in entries.items() if names}
        measured_on = rows[rows["entry"].isin(list(first.values()))]["target"]
        copies = _most_used(board, measured_on)
        if copies.keys() & set(printed.rows["target"]):
            remarks = (*_remarks(table, described, entries), *_copies_passed_over(board, measured_on, copies))
            yield number, _Matches(group_of(board, rows), first, remarks, copies)


def _remarks(table: PaperTable, described: Sequence[PaperRow], entries: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Further entries that match a row, and what the paper leaves open about the rows that have a match."""
    further = [entry for names in entries.values() for entry in names[1:]]
    if further:
        yield f"Further runs with the switches of a row: {', '.join(further)}."
    uncertain: dict[str, list[str]] = {}
    for row in described:
        if row.uncertain and entries[row.label]:
            uncertain.setdefault(row.uncertain, []).append(row_name(row, table))
    for reason, labels in uncertain.items():
        yield f"{', '.join(labels)}: {reason}."


def _most_used(board: Board, targets: pd.Series) -> dict[str, str]:
    """Data set → the one of its copies that most of the rows `targets` were measured on."""
    copies: dict[str, str] = {}
    for target in targets.value_counts().index:
        copies.setdefault(board.set_of(target), target)
    return copies


def _copies_passed_over(board: Board, targets: pd.Series, used: Mapping[str, str]) -> Iterator[str]:
    for target in dict.fromkeys(targets):
        if used[board.set_of(target)] != target:
            yield f"Measured numbers are of {used[board.set_of(target)]}; those of {target} are not in this table."


def _options_of_run(cell: Mapping[str, Any]) -> dict[str, str]:
    card = registry.method_card(cell["method"])
    return {name: plain(value) for name, value in {**asdict(card.options()), **cell["options"]}.items()}


def _table(board: Board, printed: PrintedTable, matches: _Matches, number: int) -> Table:
    rows = printed.accuracies
    values = printed_numbers(rows, "entry", "target")
    metrics = {level: [metric for metric in LEVELS[level] if metric in set(rows["metric"])] for level in LEVELS}
    pairs = [(target, level) for target in dict.fromkeys(rows["target"]) for level in LEVELS if metrics[level]]
    columns: list[str] = []
    for target, level in pairs:
        headings = ", ".join(HEADINGS[metric] for metric in metrics[level])
        columns += [f"{board.dataset(target).title} ({headings})", "measured"]
    table_rows = tuple(
        Row(label, tuple(cell for pair in pairs for cell in _cells(label, pair, metrics, values, matches)))
        for label in dict.fromkeys(rows["entry"])
    )
    key, group = f"{printed.key}-measured-{number}", matches.group
    caption = f"{printed.caption.removesuffix(' As published.')} Published beside measured: {group.name}."
    shown = group.rows[group.rows["entry"].isin(matches.entries.values())]
    shown = shown[shown["target"].isin([matches.copies.get(target, target) for target, _ in pairs])]
    notes = (BOTH, *matches.remarks, *notes_of(board, shown, marked=False))
    table = Table(key, caption, "variant", tuple(columns), table_rows, notes, cites_of(board, shown))
    described = printed.described()
    return with_ticks(table, described) if described else table


def _cells(
    label: str,
    pair: tuple[str, str],
    metrics: Mapping[str, Sequence[str]],
    published: Mapping[tuple[str, ...], Number],
    matches: _Matches,
) -> tuple[Cell, Cell]:
    """The printed numbers of a row on one target and level, and ours in the AUPRO variant of the group's protocol."""
    target, level = pair
    entry = matches.entries.get(label, "")
    ours = matches.copies.get(target, target)
    measured_as = [matches.group.aupro if metric == "pixel_aupro" else metric for metric in metrics[level]]
    scores = [matches.group.scores.get((entry, ours, "mean", metric)) for metric in measured_as]
    printed_cell = tuple(published.get((label, target, metric), Number()) for metric in metrics[level])
    return printed_cell, tuple(number_of(score, "", matches.group.selection) for score in scores)
