"""Printed costs compared with those in the records of a row; only the number of trained parameters is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from zsadbench.records import Record
from zsadbench.records.stages import FORWARD_STAGES
from zsadbench.reproduce.layout import RowRun
from zsadbench.reproduce.numbers import AGREES, DRIFTS, NOT_COMPARABLE, NOT_RUN, ReproducedNumber

MIB_IN_GB = 2**20 / 1e9


def compare_costs(run: RowRun, printed: pd.DataFrame, records: Sequence[Record]) -> Iterator[ReproducedNumber]:
    """Every printed cost of a row with ours."""
    costs = [record.cost for record in records]
    device = str(records[0].provenance.get("device", "unknown")) if records else ""
    device += ", its encoding shared" if any(cost.get("shared") for cost in costs) else ""
    for metric, value, note in zip(printed["metric"], printed["value"], printed["note"], strict=True):
        published, ours = float(value), _our_cost(metric, costs)
        verdict, because = _verdict(run, metric, (published, ours), (device, str(note)))
        yield ReproducedNumber(run, "", metric, published, ours, None, verdict, because)


def _our_cost(metric: str, costs: Sequence[dict[str, Any]]) -> float | None:
    """Time of tower, head and map per image over all records; memory and parameters as the largest of the records."""
    if metric in {"inference_time_ms", "inference_time_s"}:
        images = sum(sum(cost.get("images", {}).values()) for cost in costs)
        seconds = sum(float(cost["seconds"].get(stage, 0.0)) for cost in costs for stage in FORWARD_STAGES if images)
        return (1000 if metric.endswith("ms") else 1) * seconds / images if images else None
    name, scale = {
        "inference_memory_GB": ("peak_device_mib", MIB_IN_GB),
        "learnable_params": ("parameters_trained", 1),
    }.get(metric, ("", 1))
    values = [scale * float(cost[name]) for cost in costs if cost.get(name) is not None]
    return max(values) if values else None


def _verdict(run: RowRun, metric: str, numbers: tuple[float, float | None], about: tuple[str, str]) -> tuple[str, str]:
    """Verdict and reason; `numbers` are the printed one and ours, `about` our device and the paper's note."""
    (published, ours), (device, note) = numbers, about
    if run.left_out or not device:
        return NOT_RUN, run.left_out or "its run failed"
    if ours is None:
        return NOT_COMPARABLE, f"no run on {device} states it"
    if metric == "learnable_params" and not run.changed:
        return (AGREES if ours == published else DRIFTS), ""
    measured = f"measured on {device}; printed: {note or 'on what is unsaid'}"
    return NOT_COMPARABLE, "; ".join([*([] if metric == "learnable_params" else [measured]), *run.changed])
