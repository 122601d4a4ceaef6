"""The terminal table of a run: values per class and their mean, in percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.cli.shared.output import say, table
from zsadbench.cli.tables.fpr_spans import span_remarks
from zsadbench.clip.config import DEMO
from zsadbench.compare.frame import HEADINGS
from zsadbench.records.remarks import data_remarks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.run import Results
    from zsadbench.records import MetricValues, Record
    from zsadbench.saved_maps.plan import ScorePlan


def print_results(plan: Plan | ScorePlan, results: Results, extra: Sequence[str] = ()) -> None:
    """Print one table per target with every method's classes and mean, then signatures, records and reasons.

    Folders of one name with other content are targets of their own, told apart by digits of the fingerprint. Where a
    200-threshold variant is among the `extra` metrics, a line says which rates its thresholds cover.
    """
    from zsadbench.compare.measured import target_names

    metrics = [str(name) for name in plan.metrics]
    targets = target_names([record.cell for _, record in results.records])
    for target in dict.fromkeys(targets):
        records = [pair for pair, name in zip(results.records, targets, strict=True) if name == target]
        rows = [row for _, record in records for row in table_rows(record, metrics)]
        table(_title(target, records), ["method", "class", *(HEADINGS.get(name, name) for name in metrics)], rows)
        for path, record in records:
            say(record.signature, f"  {path}")
            for line in (*span_remarks(path, extra), *remarks(record)):
                say(f"  {line}")
        say("")


def _title(target: str, records: list[tuple[Path, Record]]) -> str:
    """Return the target, with a remark where the demo backbone made the numbers."""
    made_by_demo = any(record.cell["backbone"] == DEMO for _, record in records)
    return f"{target} (demo backbone, not CLIP)" if made_by_demo else target


def table_rows(record: Record, metrics: list[str]) -> list[tuple[str, ...]]:
    """Return rows of method, class and percentages; the last is the mean, left out where it repeats the only class."""
    label = record.cell["method"] + (f" ({record.cell['seed']})" if record.cell["seed"] else "")
    if record.cell["shots"]:
        label += f", {record.cell['shots']} shots ({record.provenance.get('support_seed', 0)})"
    label += ", unofficial" if record.cell.get("unofficial") else ""
    label += ", transductive" if record.cell.get("transductive") else ""
    done = [name for name in record.expected if name in record.classes]
    rows = [(label, name, *_cells(record.classes[name], metrics, record.bounds.get(name, {}))) for name in done]
    if len(record.expected) == 1 and rows and not record.pooled:
        return rows
    return [*rows, (label, f"mean of {len(record.classes)}/{len(record.expected)}", *_mean_cells(record, metrics))]


def _mean_cells(record: Record, metrics: list[str]) -> list[str]:
    """Return the means; a mean over some of the classes only is followed by their number."""
    means, sizes, _ = record.mean()
    counts = [f" ({sizes[name]})" if 0 < sizes.get(name, 0) < len(record.classes) else "" for name in metrics]
    cells = _cells(means, metrics, _mean_bounds(record, metrics))
    return [cell if cell == "-" else cell + count for cell, count in zip(cells, counts, strict=True)]


def _mean_bounds(record: Record, metrics: list[str]) -> dict[str, list[float]]:
    """Return the bounds of the means of the metrics that are not exact in every class, or over all classes."""
    bounds_of = {
        key: [pooled["lower"], pooled["upper"]] for key, pooled in record.pooled.items() if pooled["value"] is not None
    }
    for metric in metrics:
        values = {name: row[metric] for name, row in record.classes.items() if row.get(metric) is not None}
        bounds = [record.bounds.get(name, {}).get(metric, [value, value]) for name, value in values.items()]
        if any(lower != upper for lower, upper in bounds):
            bounds_of[metric] = [sum(side) / len(bounds) for side in zip(*bounds, strict=True)]
    return bounds_of


def _cells(row: MetricValues, metrics: list[str], bounds: Mapping[str, Sequence[float]]) -> list[str]:
    """Return percentages, with their bounds where these differ in the digits shown."""
    return [_cell(row.get(name), bounds.get(name)) for name in metrics]


def _cell(value: float | None, bounds: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    shown = f"{100 * value:.1f}"
    lower, upper = (f"{100 * bound:.1f}" for bound in bounds or (value, value))
    return shown if lower == upper else f"{shown} [{lower}, {upper}]"


def remarks(record: Record) -> list[str]:
    """Return why metrics have no value in a class, unless they are over all classes; why a record is not comparable.

    Then come the remarks on its data: files not read, unusual masks, masks and regions that vanish.
    """
    reasons: dict[str, list[str]] = {}
    means, _, _ = record.mean()
    rows = record.classes.values()
    of_all = {name for name, mean in means.items() if mean is not None and all(row.get(name) is None for row in rows)}
    for name, undefined in record.undefined.items():
        for reason in dict.fromkeys(reason for metric, reason in undefined.items() if metric not in of_all):
            reasons.setdefault(reason, []).append(name)
    lines = [f"-: {reason} ({', '.join(names)})" for reason, names in reasons.items()]
    if record.cell.get("unofficial"):
        lines.append("unofficial: written from the paper alone, its open choices are ours; no official code exists")
    if step := record.cell.get("transductive"):
        lines.append(f"transductive: image scores use all test images of a class ({step})")
    if not record.comparable:
        lines.append(f"not comparable with published numbers: {'; '.join(record.not_comparable_because)}")
    return [*lines, *data_remarks(record)]
