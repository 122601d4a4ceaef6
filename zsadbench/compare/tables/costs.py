"""The table of measured time and memory: one row per method, device and image size."""

from __future__ import annotations

from typing import Any

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.tables.layout import Number, Row, Table
from zsadbench.records import Record
from zsadbench.records.stages import FORWARD_STAGES

TIME, HOST, DEVICE_MEMORY, DEVICE = "ms per image", "host [MiB]", "device [MiB]", "device"
COLUMNS = (TIME, "of which tower", "training [s]", HOST, DEVICE_MEMORY, "trained parameters", DEVICE)
NOTE = "Time: tower, head and map, without loading and metrics, over all images of the records; memory: the peak."
SHARED = "Left out: {} of the records, whose methods shared an encoding, so that the cost is not of one alone."


def cost_tables(board: Board) -> list[Table]:
    """The costs in the records, as one table; empty where no record has costs.

    Records whose methods shared an encoding are left out and counted in a note. `zsadbench profile` measures costs more
    accurately.
    """
    entries = board.measured.drop_duplicates("signature")
    names = dict(zip(entries["signature"], entries["entry"], strict=True))
    timed = [record for _, record in board.records if record.signature in names and record.cost.get("seconds")]
    alone = [record for record in timed if not record.cost.get("shared")]
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for record in alone:
        device, size = str(record.provenance.get("device", "")), int(record.cell["image_size"])
        groups.setdefault((names[record.signature], device, size), []).append(record)
    rows = tuple(_row(name, device, records) for (name, device, _), records in groups.items())
    notes = (NOTE, SHARED.format(len(timed) - len(alone))) if len(alone) < len(timed) else (NOTE,)
    cites = cites_of(board, entries[entries["signature"].isin([record.signature for record in alone])])
    methods = {name.partition(" [")[0] for name, _, _ in groups}
    method_cites = tuple(cite for cite in cites if cite[0] in methods)
    caption = "Measured cost, as the records have it."
    return [Table("measured-cost", caption, "method", COLUMNS, rows, notes, method_cites)] if timed else []


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
