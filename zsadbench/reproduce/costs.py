"""Printed costs beside those that the records of a row state. Only a count of parameters can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from zsadbench.records import Record
from zsadbench.reproduce.layout import Place

FORWARD = ("tower", "head", "map")
MIB_IN_GB = 2**20 / 1e9
Cost = tuple[str, float, float | None, float | None, str, str]  # metric, printed, ours, spread, verdict, because


def beside_costs(place: Place, printed: pd.DataFrame, records: Sequence[tuple[Path, Record]]) -> Iterator[Cost]:
    """Every printed cost of a row beside ours, as the fields of `Beside` from the metric on."""
    costs = [record.cost for _, record in records]
    device = str(records[0][1].provenance.get("device", "unknown")) if records else ""
    device += ", its encoding shared" if any(cost.get("shared") for cost in costs) else ""
    for metric, value, note in zip(printed["metric"], printed["value"], printed["note"], strict=True):
        ours = _ours(metric, costs)
        yield (metric, float(value), ours, None, *_verdict(place, metric, (float(value), ours), (device, str(note))))


def _ours(metric: str, costs: Sequence[dict[str, Any]]) -> float | None:
    """Time of tower, head and map over all images of the records; memory and parameters as the largest of them."""
    if metric in {"inference_time_ms", "inference_time_s"}:
        images = sum(sum(cost.get("images", {}).values()) for cost in costs)
        seconds = sum(float(cost["seconds"].get(stage, 0.0)) for cost in costs for stage in FORWARD if images)
        return (1000 if metric.endswith("ms") else 1) * seconds / images if images else None
    name, scale = {
        "inference_memory_GB": ("peak_device_mib", MIB_IN_GB),
        "learnable_params": ("parameters_trained", 1),
    }.get(metric, ("", 1))
    values = [scale * float(cost[name]) for cost in costs if cost.get(name) is not None]
    return max(values) if values else None


def _verdict(place: Place, metric: str, pair: tuple[float, float | None], about: tuple[str, str]) -> tuple[str, str]:
    (published, ours), (device, note) = pair, about
    if place.left_out or not device:
        return "not run", place.left_out or "its run failed"
    if ours is None:
        return "not comparable", f"no run on {device} states it"
    if metric == "learnable_params" and not place.changed:
        return ("agrees" if ours == published else "drifts"), ""
    measured = f"measured on {device}; printed: {note or 'on what is unsaid'}"
    return "not comparable", "; ".join([*([] if metric == "learnable_params" else [measured]), *place.changed])
