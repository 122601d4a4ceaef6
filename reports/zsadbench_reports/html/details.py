"""Curves, intervals and breakdowns of a comparability group, from the details in the sidecars of its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare import Board, Table
from zsadbench.compare.frame import GROUP
from zsadbench.records import Record, read_details
from zsadbench_reports.html.cells import without_empty
from zsadbench_reports.html.curves import curves_of
from zsadbench_reports.html.measured import seed_order
from zsadbench_reports.html.parts import DEFECT, ClassPart, class_lines, mean_lines


class RecordDetails(NamedTuple):
    """One record of an entry and its details."""

    entry: str
    target: str
    seed: str
    record: Record
    details: Mapping[str, Any]


def records_with_details(board: Board) -> list[list[RecordDetails]]:
    """For each comparability group, in the order of the board, the records that have details, sorted by seed."""
    paths = {record.signature: (path, record) for path, record in board.records}
    grouped = board.measured.groupby(GROUP, sort=False)
    return [sorted(_of_group(rows, paths), key=lambda record: seed_order(record.seed)) for _, rows in grouped]


def _of_group(rows: pd.DataFrame, paths: Mapping[str, tuple[Path, Record]]) -> Iterator[RecordDetails]:
    for _, row in rows.drop_duplicates("signature").iterrows():
        path, record = paths[str(row["signature"])]
        details = read_details(path)
        if details is not None:
            yield RecordDetails(str(row["entry"]), str(row["target"]), str(row["seed"]), record, details)


def curves(records: Sequence[RecordDetails], entries: Sequence[str], tolerance: float) -> dict[str, Any]:
    """Target → class → for each entry the curves of its first seed, or None."""
    return _of_first_seeds(records, entries, lambda content: curves_of(content.get("curves") or {}, tolerance))


def intervals(records: Sequence[RecordDetails], entries: Sequence[str]) -> dict[str, Any]:
    """Target → class → for each entry metric → the printed ends of the interval of its first seed, or None."""

    def printed(content: Mapping[str, Any]) -> dict[str, list[str]]:
        known = {metric: ends for metric, ends in (content.get("intervals") or {}).items() if None not in ends}
        return {metric: [f"{100 * end:.1f}" for end in ends] for metric, ends in known.items()}

    return _of_first_seeds(records, entries, printed)


def _of_first_seeds(
    records: Sequence[RecordDetails], entries: Sequence[str], select: Callable[[Mapping[str, Any]], Any]
) -> dict[str, Any]:
    """Target → class → for each entry what `select` takes from its first record; classes without any are left out."""
    targets: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        index = entries.index(record.entry)
        for name, content in record.details["classes"].items():
            by_entry = targets.setdefault(record.target, {}).setdefault(name, [None] * len(entries))
            if by_entry[index] is None:
                by_entry[index] = select(content) or None
    return without_empty(
        {
            target: {name: by_entry for name, by_entry in classes.items() if any(by_entry)}
            for target, classes in targets.items()
        }
    )


def breakdowns(
    records: Sequence[RecordDetails], entries: Sequence[str], tables: Sequence[Table], number: int, *, every_part: bool
) -> dict[str, Any]:
    """Target → class, or "" for the mean over classes → lines of parts, for the group `number`.

    `tables` are the breakdown tables of the report. Without `every_part`, single classes have types of defect only.
    """
    by_target: dict[str, Any] = {}
    for target in dict.fromkeys(record.target for record in records):
        parts = [part for record in records if record.target == target for part in _parts(record)]
        kept = [part for part in parts if every_part or part.part.startswith(DEFECT)]
        names = dict.fromkeys(part.name for part in kept)
        lines = {name: class_lines([part for part in kept if part.name == name], entries) for name in names}
        by_target[target] = without_empty({"": mean_lines(tables, number, target, entries)} | lines)
    return without_empty(by_target)


def _parts(record: RecordDetails) -> Iterator[ClassPart]:
    for name, content in record.details["classes"].items():
        for part, values in content["parts"].items():
            yield ClassPart(record.entry, record.target, name, part, values, record.record.comparable)


def area_quartiles(records: Sequence[RecordDetails]) -> dict[str, list[str]]:
    """Target → the printed quartiles of the area of regions, in percent of the image."""
    known = {record.target: record.details.get("area_edges") for record in reversed(records)}
    return {target: [f"{100 * edge:.2g}" for edge in edges] for target, edges in known.items() if edges}
