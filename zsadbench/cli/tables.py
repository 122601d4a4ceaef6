"""The terminal table of a run: per class and mean, in percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.cli.common import say, table

if TYPE_CHECKING:
    from zsadbench.engine.plan import Plan
    from zsadbench.engine.runner import Results
    from zsadbench.results import Record, Row

HEADINGS = {
    "image_auroc": "I-AUROC",
    "image_ap": "I-AP",
    "image_f1max": "I-F1",
    "pixel_auroc": "P-AUROC",
    "pixel_ap": "P-AP",
    "pixel_f1max": "P-F1",
    "pixel_aupro": "AUPRO",
    "pixel_aupro_200": "AUPRO-200",
    "pixel_aupro_200_max": "AUPRO-200max",
}


def print_results(plan: Plan, results: Results) -> None:
    """One table a target: every method's classes and its mean, then signatures, records and reasons."""
    metrics = [str(name) for name in plan.metrics]
    targets = dict.fromkeys(record.cell["target"]["name"] for _, record in results.records)
    for target in targets:
        records = [(path, record) for path, record in results.records if record.cell["target"]["name"] == target]
        rows = [row for _, record in records for row in table_rows(record, metrics)]
        table(target, ["method", "class", *(HEADINGS.get(name, name) for name in metrics)], rows)
        for path, record in records:
            say(f"{record.signature}\n  {path}")
            for line in _remarks(record):
                say(f"  {line}")
        say("")


def table_rows(record: Record, metrics: list[str]) -> list[tuple[str, ...]]:
    """Method, class and percentages; the last row is the mean, unless there is one class only."""
    label = record.cell["method"] + (f" ({record.cell['seed']})" if record.cell["seed"] else "")
    rows = [(label, name, *_cells(record.classes[name], metrics)) for name in record.expected if name in record.classes]
    if len(record.expected) == 1 and rows:
        return rows
    return [*rows, (label, f"mean of {len(record.classes)}/{len(record.expected)}", *_mean_cells(record, metrics))]


def _mean_cells(record: Record, metrics: list[str]) -> list[str]:
    """The means; where a metric is undefined in some classes, with the number of classes in its mean."""
    means, sizes, _ = record.mean()
    counts = [f" ({sizes[name]})" if 0 < sizes.get(name, 0) < len(record.classes) else "" for name in metrics]
    return [cell if cell == "-" else cell + count for cell, count in zip(_cells(means, metrics), counts, strict=True)]


def _cells(row: Row, metrics: list[str]) -> list[str]:
    return ["-" if (value := row.get(name)) is None else f"{100 * value:.1f}" for name in metrics]


def _remarks(record: Record) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, undefined in record.undefined.items():
        for reason in dict.fromkeys(undefined.values()):
            reasons.setdefault(reason, []).append(name)
    lines = [f"-: {reason} ({', '.join(names)})" for reason, names in reasons.items()]
    if not record.comparable:
        lines.append(f"not comparable with published numbers: {'; '.join(record.not_comparable_because)}")
    return lines
