"""The papers' ablations with ours beside them: a run belongs to a printed row when it has the switches of that row.

Which switches a row has is written in `zsadbench/papers`; a run matches when all its options, those at their
defaults included, are those of the row. Best and second are marked for neither: the papers' marks stand in the table
as published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import pandas as pd

from zsadbench import registry
from zsadbench.compare.board import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.groups import GROUP, Group, group_of
from zsadbench.compare.paper_rows import PaperRow, find_table, why_left_out
from zsadbench.compare.tables.layout import Cell, Number, Row, Table
from zsadbench.compare.tables.measured import number_of
from zsadbench.compare.tables.published import LEVELS, Printed, printed_tables

BOTH = "In every pair of columns: as published, then measured. Ours are the runs with all the switches of the row."


class _Found(NamedTuple):
    """The runs of one comparability group that match rows of one table: row's label → entry, and what to know."""

    group: Group
    entries: Mapping[str, str]
    remarks: tuple[str, ...]


def measured_ablation_tables(board: Board) -> list[Table]:
    """A table for every printed ablation and comparability group with a run of one of its rows."""
    return [
        _table(board, one, found, number)
        for one in printed_tables(board)
        if one.kind == "ablation"
        for number, found in _matches(board, one)
    ]


def options_of(row: PaperRow) -> dict[str, str]:
    """Every option of a row's method, with the values of the row, as text that does not depend on spelling."""
    card = registry.method_card(row.method)
    values: dict[str, Any] = asdict(card.options())
    for given in row.options:
        key, _, value = given.partition("=")
        values |= card.presets[value] if key == "preset" else {key: value}
    return {name: plain(value) for name, value in values.items()}


def plain(value: Any) -> str:
    """One spelling of an option's value: booleans in lower case, numbers as floats, lists sorted.

    >>> plain(("sem", "id")), plain("id,sem"), plain(True), plain("0.50")
    ('id,sem', 'id,sem', 'true', '0.5')
    """
    if isinstance(value, tuple | list):
        return ",".join(sorted(plain(one) for one in value))
    text = str(value).lower()
    if "," in text:
        return plain(text.split(","))
    try:
        return str(float(text))
    except ValueError:
        return text


def _matches(board: Board, one: Printed) -> Iterator[tuple[int, _Found]]:
    described = [row for row in find_table(f"{one.paper}:table{one.number}").rows if not why_left_out(row)]
    wanted = {row.label: (row.method, str(row.shots), options_of(row)) for row in described}
    cells = {record.signature: record.cell for _, record in board.records}
    methods = {row.method for row in described}
    for number, (_, rows) in enumerate(board.measured.groupby(GROUP, sort=False), start=1):
        ours = rows[rows["method"].isin(methods)].drop_duplicates("entry")
        runs = {
            str(run["entry"]): (str(run["method"]), str(run["shots"]), _options(cells[run["signature"]]))
            for _, run in ours.iterrows()
        }
        found = {label: [entry for entry, run in runs.items() if run == row] for label, row in wanted.items()}
        first = {label: entries[0] for label, entries in found.items() if entries}
        if _shares(rows, first.values(), one.rows):
            yield number, _Found(group_of(board, rows), first, tuple(_remarks(described, found)))


def _remarks(described: Sequence[PaperRow], found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Runs that were passed over, and what the paper leaves open of the rows that have one."""
    more = [entry for entries in found.values() for entry in entries[1:]]
    if more:
        yield f"Further runs with the switches of a row: {', '.join(more)}."
    uncertain: dict[str, list[str]] = {}
    for row in described:
        if row.uncertain and found[row.label]:
            uncertain.setdefault(row.uncertain, []).append(row.label)
    for reason, labels in uncertain.items():
        yield f"{', '.join(labels)}: {reason}."


def _options(cell: Mapping[str, Any]) -> dict[str, str]:
    card = registry.method_card(cell["method"])
    return {name: plain(value) for name, value in {**asdict(card.options()), **cell["options"]}.items()}


def _shares(rows: pd.DataFrame, entries: Any, printed: pd.DataFrame) -> bool:
    ours = rows[rows["entry"].isin(list(entries))]
    return bool(set(ours["target"]) & set(printed["target"]))


def _table(board: Board, one: Printed, found: _Found, number: int) -> Table:
    rows = one.rows[one.rows["target"] != ""]
    places = [(target, level) for target in dict.fromkeys(rows["target"]) for level in LEVELS]
    values = dict(zip(zip(rows["entry"], rows["target"], rows["metric"], strict=True), rows["value"], strict=True))
    printed = {level: [metric for metric in LEVELS[level] if metric in set(rows["metric"])] for level in LEVELS}
    shown = [(target, level) for target, level in places if printed[level]]
    columns = [text for target, level in shown for text in _columns(board, target, printed[level])]
    lines = [
        Row(label, tuple(cell for place in shown for cell in _cells(label, place, printed, values, found)))
        for label in dict.fromkeys(rows["entry"])
    ]
    caption = f"{one.caption.removesuffix(' As published.')} Published beside measured: {found.group.name}."
    notes = (BOTH, *found.remarks, *found.group.notes[1:])
    return Table(
        f"{one.key}-measured-{number}", caption, "variant", tuple(columns), tuple(lines), notes, found.group.cites
    )


def _columns(board: Board, target: str, metrics: Sequence[str]) -> tuple[str, str]:
    heading = f"{board.dataset(target).title} ({', '.join(HEADINGS[metric] for metric in metrics)})"
    return heading, "measured"


def _cells(
    label: str,
    place: tuple[str, str],
    printed: Mapping[str, Sequence[str]],
    values: Mapping[Any, float],
    found: _Found,
) -> tuple[Cell, Cell]:
    """The printed numbers, and ours by the AUPRO variant of the group's protocol."""
    target, level = place
    theirs = [values.get((label, target, metric)) for metric in printed[level]]
    ours = dict(zip(LEVELS[level], found.group.levels[level], strict=True))
    entry = found.entries.get(label, "")
    scores = [found.group.scores.get((entry, target, "mean", ours[metric])) for metric in printed[level]]
    left = tuple(Number(None if value is None else 100 * value) for value in theirs)
    return left, tuple(number_of(score) for score in scores)
