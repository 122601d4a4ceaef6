"""The tables of docs/benchmarks that need a GPU, as Markdown, from what benchmarks/on_gpu.py has measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

TITLES = {"fbclip": "FB-CLIP", "afclip": "AF-CLIP", "anomalyclip": "AnomalyCLIP"}
TARGETS = {"fbclip": 1.35, "afclip": 1.2, "anomalyclip": 1.3}  # times the tower, batch 32, bf16
Row = Mapping[str, Any]
Column = Callable[[Row], object]


def number(value: float | None, digits: int = 2) -> str:
    """Write a number; a dash for none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    """Write a share; a dash for none."""
    return "-" if value is None else f"{value:.0%}"


def title(row: Row) -> str:
    """Return the name of a method as papers write it."""
    name = str(row.get("method") or row.get("head"))
    return TITLES.get(name, name)


def of(name: str, digits: int = 2) -> Column:
    """Return the column of one figure."""
    return lambda row: number(row.get(name), digits)


def target_of(row: Row) -> str:
    """Return the target of a method against the tower, which is for half precision and large batches."""
    aimed = row["precision"] == "bf16" and row["batch_size"] > 1
    return number(TARGETS.get(row["method"])) if aimed else ""


PROFILE: dict[str, Column] = {
    "": title,
    "precision": lambda row: row["precision"],
    "batch": lambda row: row["batch_size"],
    "ms per batch": lambda row: number(row["latency_ms"]["median"]),
    "p99": lambda row: number(row["latency_ms"]["p99"]),
    "tower alone": of("tower_ms"),
    "× tower": of("ratio_to_tower"),
    "target": target_of,
    "lower bound": of("floor_ms"),
    "images per second": of("images_per_second", 1),
    "peak device MiB": of("peak_device_mib", 0),
    "reserved": of("reserved_device_mib", 0),
}
COLUMNS: dict[str, tuple[str, dict[str, Column]]] = {
    "tower": (
        "The tower in bf16 against open_clip's blocks; targets: at most 1.05 ×, 45 % of the peak rate",
        {
            "batch": lambda row: row["batch_size"],
            "ours, ms": of("ours_ms"),
            "open_clip, ms": of("open_clip_ms"),
            "× open_clip": of("times_open_clip"),
            "of the peak rate": lambda row: percent(row["share_of_peak"]),
            "peak rate, TFLOP/s": of("peak_tflops", 1),
        },
    ),
    "methods": (
        "Methods against the tower; targets of memory: FB-CLIP 1.45 GB in fp32, 0.75 GB in half precision",
        PROFILE,
    ),
    "offline": (
        "All batches at once; target: 320 images per second",
        {**PROFILE, "joules per image": of("joules_an_image")},
    ),
    "files": (
        "A whole run from generated files; target: the device is busy for 80 % of the time",
        {
            "": title,
            "images": lambda row: row["images"],
            "s": of("seconds", 1),
            "images per second": of("images_per_second", 1),
            "device busy": lambda row: percent(row["busy"]),
            "batch": lambda row: row["batch_size"],
            "s per stage": lambda row: ", ".join(
                f"{name} {spent:.1f}" for name, spent in row["seconds_by_stage"].items()
            ),
        },
    ),
    "workers": (
        "Worker processes on one card",
        {
            "workers": lambda row: row["workers"],
            "s, start included": of("seconds", 1),
            "images": lambda row: row["images"],
            "images per second, from the first batch to the last": of("images_per_second", 1),
        },
    ),
    "heads": (
        "Heads against their slow twins",
        {
            "": title,
            "ours, s": of("ours_s", 4),
            "lower bound": of("floor_s", 4),
            "twin": of("twin_s", 4),
            "times faster": of("times_faster", 1),
            "extra MiB": of("ours_mib", 0),
            "twin, extra MiB": of("twin_mib", 0),
            "largest difference": lambda row: f"{row['difference']:.0e}",
        },
    ),
    "compiled": (
        "Compiled blocks and CUDA graphs",
        {
            "mode": lambda row: row["asked"],
            "used": lambda row: row["compiled"],
            "batch": lambda row: row["batch_size"],
            "tower, ms": of("tower_ms"),
            "whole batch, ms": lambda row: number(row["latency_ms"]["median"]),
            "s until measured": of("seconds_in_all", 0),
        },
    ),
    "precision": (
        "Half precision against fp32, on the backbone `demo`; changes in percentage points",
        {
            "": title,
            "precision": lambda row: row["precision"],
            "image score, largest difference (range)": lambda row: (
                f"{row['score_difference']:.4f} ({row['score_spread']:.3f})"
            ),
            "largest change of a metric": lambda row: number(
                max((change for change in row["metrics"].values() if change is not None), key=abs, default=None)
            ),
            "of a single class": lambda row: number(row["single_class"]["points"]),
        },
    ),
    "others": ("Other methods against the tower", PROFILE),
}


def table(rows: Sequence[Row], columns: Mapping[str, Column]) -> str:
    """Write rows as a table."""
    lines = [columns.keys(), ["---"] * len(columns)]
    lines += [[str(column(row)) for column in columns.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(measured: Mapping[str, Any]) -> str:
    """Write all parts as tables, and what is missing of them."""
    parts = [f"# Measured on {measured['device']}\n\nPyTorch {measured['torch']}.\n"]
    for name, (heading, columns) in COLUMNS.items():
        rows, why = measured["parts"].get(name, []), measured["missing"].get(name, "")
        parts.append(f"## {heading}\n")
        parts += [table(rows, columns) + "\n"] if rows else []
        parts += [f"Not all is measured: {why}.\n"] if why else []
    return "\n".join(parts)
