"""The table of measured time and memory: one row per method, device and way of measuring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsadbench.compare.board import Board
from zsadbench.compare.citations import cites_of
from zsadbench.compare.tables.layout import Number, Row, Table
from zsadbench.records import Cell, Profile, Record, canonical
from zsadbench.records.stages import FORWARD_STAGES

TIME, HOST, DEVICE_MEMORY, DEVICE = "ms per image", "host [MiB]", "device [MiB]", "device"
HOW = "measured by"
COLUMNS = (TIME, "of which tower", "training [s]", HOST, DEVICE_MEMORY, "trained parameters", HOW, DEVICE)
NOTE = "Time: tower, head and map, without loading and metrics, over all images of the records; memory: the peak."
PROFILED = "profile: the median of one batch of generated images, with nothing shared, by zsadbench profile --into."
SHARED = "Left out: {} of the records, whose methods shared an encoding, so that the cost is not of one alone."
REMEDY = "zsadbench profile --into RESULTS measures each of them alone: {}."


def cost_tables(board: Board) -> list[Table]:
    """The costs in the records and in the profiles beside them, as one table; empty where there are none.

    Records whose methods shared an encoding are left out and counted in a note. A profile has the name of the records
    of its method, options, backbone, image size and precision; without such records the board does not show it.
    """
    entries = board.measured.drop_duplicates("signature")
    names = dict(zip(entries["signature"], entries["entry"], strict=True))
    timed = [record for _, record in board.records if record.signature in names and record.cost.get("seconds")]
    alone = [record for record in timed if not record.cost.get("shared")]
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for record in alone:
        device, size = str(record.provenance.get("device", "")), int(record.cell["image_size"])
        groups.setdefault((names[record.signature], device, size), []).append(record)
    rows = [_row(name, device, records) for (name, device, _), records in groups.items()]
    profiled = [(name, profile) for profile in board.profiles if (name := _entry_of(board, names, profile))]
    rows += [_profile_row(name, profile) for name, profile in profiled]
    shown = {row.label for row in rows}
    missing = dict.fromkeys(names[record.signature] for record in timed if names[record.signature] not in shown)
    notes = [NOTE] if alone or not profiled else []
    notes += [PROFILED] if profiled else []
    notes += [SHARED.format(len(timed) - len(alone))] if len(alone) < len(timed) else []
    notes += [REMEDY.format(", ".join(missing))] if missing else []
    methods = {name.partition(" [")[0] for name in shown}
    cites = cites_of(board, entries[entries["method"].isin(methods)])
    method_cites = tuple(cite for cite in cites if cite[0] in methods)
    caption = "Measured cost, as the records have it." if not profiled else "Measured cost."
    if not timed and not profiled:
        return []
    return [Table("measured-cost", caption, "method", COLUMNS, tuple(rows), tuple(notes), method_cites)]


def _entry_of(board: Board, names: Mapping[str, str], profile: Profile) -> str:
    """The entry of the zero-shot records that a profile belongs to; empty without one."""
    wanted = _setup(profile)
    return next(
        (
            names[record.signature]
            for _, record in board.records
            if record.signature in names and not record.cell["shots"] and _setup(record.cell) == wanted
        ),
        "",
    )


def _setup(about: Cell | Profile) -> str:
    """What a record and a profile of the same method have in common."""
    return canonical({name: about[name] for name in ("method", "options", "backbone", "image_size", "precision")})


def _profile_row(name: str, profile: Profile) -> Row:
    images, training = profile["batch_size"], profile.get("training") or {}
    numbers = (
        Number(profile["latency_ms"]["median"] / images),
        Number(profile["tower_ms"] / images),
        Number(training.get("seconds_epoch"), digits=0),
        *(Number(profile[key], digits=0) for key in ("peak_host_mib", "peak_device_mib", "parameters_trained")),
    )
    batch = f"profile, batch {images}" + (", 1 epoch on MVTec AD" if training.get("seconds_epoch") else "")
    return Row(name, (*((number,) for number in numbers), batch, profile["device_name"]))


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
    return Row(name, (*((number,) for number in numbers), "run", device))


def _seconds(costs: list[dict[str, Any]], stages: tuple[str, ...]) -> float:
    return sum(float(cost["seconds"].get(stage, 0.0)) for cost in costs for stage in stages)


def _peak(costs: list[dict[str, Any]], name: str) -> float | None:
    values = [float(cost[name]) for cost in costs if cost.get(name) is not None]
    return max(values) if values else None
