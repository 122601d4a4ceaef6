"""Measured time and memory: one row a method and device."""

from __future__ import annotations

from typing import Any

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.tables.layout import Number, Row, Table
from zsadbench.records import Record
from zsadbench.records.stages import FORWARD_STAGES

COLUMNS = (
    "ms an image",
    "of which tower",
    "training [s]",
    "host [MiB]",
    "device [MiB]",
    "trained parameters",
    "device",
)
NOTE = "Time: tower, head and map, without loading and metrics, over all images of the records; memory: the peak."
SHARED = "Left out: {} of the records, whose methods shared an encoding, so that the cost is not of one alone."


def cost_tables(board: Board) -> list[Table]:
    """What the records say of their cost; empty where none does. A run of `profile` says it better."""
    entries = board.measured.drop_duplicates("signature")
    names = dict(zip(entries["signature"], entries["entry"], strict=True))
    timed = [record for _, record in board.records if record.signature in names and record.cost.get("seconds")]
    alone = [record for record in timed if not record.cost.get("shared")]
    found: dict[tuple[str, str, int], list[Record]] = {}
    for record in alone:
        place = str(record.provenance.get("device", "")), int(record.cell["image_size"])
        found.setdefault((names[record.signature], *place), []).append(record)
    rows = tuple(_row(name, device, records) for (name, device, _), records in found.items())
    notes = (NOTE, SHARED.format(len(timed) - len(alone))) if len(alone) < len(timed) else (NOTE,)
    cites = cites_of(board, entries[entries["signature"].isin([record.signature for record in alone])])
    methods = tuple(one for one in cites if one[0] in {name.partition(" [")[0] for name, _, _ in found})
    caption = "Measured cost, as the records have it."
    return [Table("measured-cost", caption, "method", COLUMNS, rows, notes, methods)] if timed else []


def _row(name: str, device: str, records: list[Record]) -> Row:
    costs = [record.cost for record in records]
    images = sum(sum(cost.get("images", {}).values()) for cost in costs)
    tower, all_stages = _seconds(costs, ("tower",)), _seconds(costs, FORWARD_STAGES)
    numbers = (
        Number(1000 * all_stages / images if images else None),
        Number(1000 * tower / images if images else None),
        Number(_peak(costs, "seconds_training"), digits=0),
        Number(_peak(costs, "peak_host_mib"), digits=0),
        Number(_peak(costs, "peak_device_mib"), digits=0),
        Number(_peak(costs, "parameters_trained"), digits=0),
    )
    return Row(name, (*((number,) for number in numbers), device))


def _seconds(costs: list[dict[str, Any]], stages: tuple[str, ...]) -> float:
    return sum(float(cost["seconds"].get(stage, 0.0)) for cost in costs for stage in stages)


def _peak(costs: list[dict[str, Any]], name: str) -> float | None:
    values = [float(cost[name]) for cost in costs if cost.get(name) is not None]
    return max(values) if values else None
