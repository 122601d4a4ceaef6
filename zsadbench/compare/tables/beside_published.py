"""The table of a paper with measured columns: published baselines, then measured methods, in the rows of the paper.

A published number has the same settings as the measured ones when protocol, AUPRO variant, split and backbone are known
and equal. Methods without such a number stand apart, under a heading of their own and without marks. Best and second
best are marked among comparable measured numbers and published ones with the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of, venues_of
from zsadbench.compare.frame import HEADINGS, UNKNOWN
from zsadbench.compare.gap import FIELDS
from zsadbench.compare.groups import Group, groups, notes_of
from zsadbench.compare.summary import marks
from zsadbench.compare.tables.layout import APART, Number, Row, Table
from zsadbench.compare.tables.measured import number_of
from zsadbench.compare.tables.published import PrintedNumbers, PrintedTable, printed_numbers, printed_tables

MEASURED_HERE = "measured here"
MARKED = "Best and second best are marked among measured numbers and published ones with the same settings."


class _Columns(NamedTuple):
    """The columns of the table: published entries apart, published ones with the same settings, measured entries."""

    apart: list[str]
    same: list[str]
    measured: list[str]


def beside_published_tables(board: Board) -> list[Table]:
    """One table per comparability group for the published main table of the selection; none without a selection."""
    if not board.selection.paper:
        return []
    of_selection = [printed for printed in printed_tables(board) if printed.kind == "main"]
    numbered = list(enumerate(groups(board), start=1))
    return [
        _table(board, group, number, printed, rows)
        for printed in of_selection
        for number, group in numbered
        if len(rows := _printed_for(board, group, printed))
    ]


def _printed_for(board: Board, group: Group, printed: PrintedTable) -> pd.DataFrame:
    """The published rows with the number of support images and the data sets of the measured ones."""
    shots, targets = str(group.rows["shots"].iloc[0]), {board.set_of(target) for target in group.targets}
    return printed.rows[(printed.rows["shots"] == shots) & printed.rows["target"].isin(targets)]


def _table(board: Board, group: Group, number: int, printed: PrintedTable, rows: pd.DataFrame) -> Table:
    published, alike = printed_numbers(rows, "entry", "target"), _with_same_settings(group, rows)
    entries = list(dict.fromkeys(rows["entry"]))
    same = [entry for entry in entries if any(key[0] == entry for key in alike)]
    columns = _Columns([entry for entry in entries if entry not in same], same, group.entries)
    table_rows = tuple(_rows(board, group, columns, (published, alike)))
    label = f"{printed.about.label}, Table {printed.number}"
    heads = (f"{label}: other settings", f"{label}: same settings", MEASURED_HERE)
    over = tuple(head for head, names in zip(heads, columns, strict=True) for _ in names)
    venues = dict(zip(entries, venues_of(board, rows), strict=True))
    own_venues = venues_of(board, group.rows)
    caption = f"{label}, beside measured: {group.name}."
    source = (printed.about.source,) if printed.about.own else ()
    notes = (MARKED, *source, *_why_apart(group, rows, columns), *notes_of(board, group.rows, marked=False))
    cites = tuple(dict.fromkeys([*cites_of(board, rows), *group.cites]))
    names = tuple(name for names in columns for name in names)
    ordered = (*(venues[entry] for entry in (*columns.apart, *columns.same)), *own_venues)
    key = f"measured-{number}-{printed.key}"
    return Table(key, caption, "data set", names, table_rows, notes, cites, over, ordered)


def _with_same_settings(group: Group, rows: pd.DataFrame) -> set[tuple[str, str, str]]:
    """Entry, data set and metric of the published numbers that have the settings of the measured ones."""
    return {
        (str(row["entry"]), str(row["target"]), str(row["metric"]))
        for _, row in rows.iterrows()
        if not _difference(group, row)
    }


def _difference(group: Group, row: pd.Series) -> str:
    """The first setting in which a published number differs from the measured ones; empty where there is none."""
    first = group.rows.iloc[0]
    variants = dict(zip(group.rows["metric"], group.rows["aupro"], strict=True))
    ours = {"protocol": first["protocol"], "aupro": variants.get(group.aupro, ""), "split": "card"}
    ours |= {"backbone": first["backbone"]}
    for field, name in FIELDS.items():
        if field == "aupro" and row["metric"] != "pixel_aupro":
            continue
        if row[field] == UNKNOWN:
            return f"{name} unknown"
        if row[field] != ours[field]:
            return f"{name} {row[field]}"
    return ""


def _why_apart(group: Group, rows: pd.DataFrame, columns: _Columns) -> Iterator[str]:
    """The methods that stand apart, by the first setting in which their numbers differ."""
    reasons: dict[str, list[str]] = {}
    for entry in columns.apart:
        reason = _difference(group, rows[rows["entry"] == entry].iloc[0])
        reasons.setdefault(reason, []).append(entry)
    for reason, entries in reasons.items():
        yield f"Other settings: {reason} ({', '.join(entries)})."


def _rows(
    board: Board, group: Group, columns: _Columns, numbers: tuple[PrintedNumbers, set[tuple[str, str, str]]]
) -> Iterator[Row]:
    """One row per data set and level, industrial sets first; `numbers` are the published ones and those alike."""
    for domain in dict.fromkeys(board.dataset(target).domain for target in group.targets):
        targets = [target for target in group.targets if board.dataset(target).domain == domain]
        for level, metrics in group.levels.items():
            heading = f"{domain}, {level} ({', '.join(HEADINGS.get(metric, metric) for metric in metrics)})"
            for target in targets:
                cells = [_numbers(board, group, columns, numbers, (target, metric)) for metric in metrics]
                if any(number.value is not None for by_entry in cells for number in by_entry):
                    yield Row(board.dataset(target).title, tuple(zip(*cells, strict=True)), heading)


def _numbers(
    board: Board,
    group: Group,
    columns: _Columns,
    numbers: tuple[PrintedNumbers, set[tuple[str, str, str]]],
    place: tuple[str, str],
) -> list[Number]:
    """The numbers of one data set and metric in the order of the columns, with marks among comparable ones."""
    published, alike = numbers
    target, metric = place
    key = board.set_of(target), "pixel_aupro" if metric == group.aupro else metric
    theirs = {entry: published.get((entry, *key), Number()) for entry in (*columns.apart, *columns.same)}
    scores = {entry: group.scores.get((entry, target, "mean", metric)) for entry in columns.measured}
    ours = {entry: number_of(score, "", group.selection) for entry, score in scores.items()}
    rivals = {("published", entry): theirs[entry] for entry in columns.same if (entry, *key) in alike}
    rivals |= {(MEASURED_HERE, entry): number for entry, number in ours.items() if number.mark != APART}
    best = _marked(rivals, group.selection.decimals)
    shown = [
        replace(number, mark=best.get(("published", entry), _apart(entry, key, columns, alike)))
        for entry, number in theirs.items()
    ]
    return [*shown, *(replace(one, mark=best.get((MEASURED_HERE, entry), one.mark)) for entry, one in ours.items())]


def _marked(rivals: Mapping[tuple[str, str], Number], decimals: int) -> dict[tuple[str, str], str]:
    names = {str(place): name for place, name in enumerate(rivals)}
    fractions = [None if number.value is None else number.value / 100 for number in rivals.values()]
    found = marks(dict(zip(names, fractions, strict=True)), decimals)
    return {names[place]: mark for place, mark in found.items()}


def _apart(entry: str, key: tuple[str, str], columns: _Columns, alike: set[tuple[str, str, str]]) -> str:
    """The mark of a published number with other settings in a column whose other numbers have the same ones."""
    return APART if entry in columns.same and (entry, *key) not in alike else ""
