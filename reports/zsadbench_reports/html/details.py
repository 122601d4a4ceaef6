"""What lies beside the records of a comparability group: curves, intervals and breakdowns, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare import Board, Table
from zsadbench.compare.groups import GROUP
from zsadbench.records import Record, read_details
from zsadbench_reports.html.cells import without_empty
from zsadbench_reports.html.curves import curves_of
from zsadbench_reports.html.measured import seed_order
from zsadbench_reports.html.parts import DEFECT, Part, class_lines, mean_lines


class Beside(NamedTuple):
    """One record of an entry and what lies beside it."""

    entry: str
    target: str
    seed: str
    record: Record
    details: Mapping[str, Any]


def beside_records(board: Board) -> list[list[Beside]]:
    """For each comparability group, in the order of the board's, the records that have details, by seed."""
    paths = {record.signature: (path, record) for path, record in board.records}
    grouped = board.measured.groupby(GROUP, sort=False)
    return [sorted(_of_group(rows, paths), key=lambda one: seed_order(one.seed)) for _, rows in grouped]


def _of_group(rows: pd.DataFrame, paths: Mapping[str, tuple[Path, Record]]) -> Iterator[Beside]:
    for _, row in rows.drop_duplicates("signature").iterrows():
        path, record = paths[str(row["signature"])]
        details = read_details(path)
        if details is not None:
            yield Beside(str(row["entry"]), str(row["target"]), str(row["seed"]), record, details)


def curves(found: Sequence[Beside], entries: Sequence[str], tolerance: float) -> dict[str, Any]:
    """Target → class → one place an entry: its curves, of its first seed, or None."""
    return _first(found, entries, lambda content: curves_of(content.get("curves") or {}, tolerance))


def intervals(found: Sequence[Beside], entries: Sequence[str]) -> dict[str, Any]:
    """Target → class → one place an entry: metric → the printed ends of its interval, of its first seed, or None."""

    def printed(content: Mapping[str, Any]) -> dict[str, list[str]]:
        known = {metric: ends for metric, ends in (content.get("intervals") or {}).items() if None not in ends}
        return {metric: [f"{100 * end:.1f}" for end in ends] for metric, ends in known.items()}

    return _first(found, entries, printed)


def _first(found: Sequence[Beside], entries: Sequence[str], kept: Any) -> dict[str, Any]:
    targets: dict[str, dict[str, list[Any]]] = {}
    for one in found:
        for name, content in one.details["classes"].items():
            places = targets.setdefault(one.target, {}).setdefault(name, [None] * len(entries))
            place = entries.index(one.entry)
            if places[place] is None:
                places[place] = kept(content) or None
    whole = {target: {name: row for name, row in classes.items() if any(row)} for target, classes in targets.items()}
    return without_empty(whole)


def breakdowns(
    found: Sequence[Beside], entries: Sequence[str], tables: Sequence[Table], number: int, *, every_part: bool
) -> dict[str, Any]:
    """Target → class, or "" for the mean over classes → lines of parts, of the group `number`.

    `tables` are the breakdowns of every format. Without `every_part`, single classes keep their types of defect alone.
    """
    made: dict[str, Any] = {}
    for target in dict.fromkeys(one.target for one in found):
        parts = [part for one in found if one.target == target for part in _parts(one)]
        kept = [part for part in parts if every_part or part.part.startswith(DEFECT)]
        names = dict.fromkeys(part.name for part in kept)
        lines = {name: class_lines([part for part in kept if part.name == name], entries) for name in names}
        made[target] = without_empty({"": mean_lines(tables, number, target, entries)} | lines)
    return without_empty(made)


def _parts(one: Beside) -> Iterator[Part]:
    for name, content in one.details["classes"].items():
        for part, values in content["parts"].items():
            yield Part(one.entry, one.target, name, part, values, one.record.comparable)


def area_quartiles(found: Sequence[Beside]) -> dict[str, list[str]]:
    """Target → the quartiles of region area, in percent of the image, as printed."""
    known = {one.target: one.details.get("area_edges") for one in reversed(found)}
    return {target: [f"{100 * edge:.2g}" for edge in edges] for target, edges in known.items() if edges}
