"""The terminal table of a run: values per class and their mean, in percent."""

from __future__ import annotations

from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.output import say, table
from zsadbench.cli.tables.fpr_spans import span_remarks
from zsadbench.clip.config import DEMO
from zsadbench.compare.frame import HEADINGS
from zsadbench.records import identity
from zsadbench.records.remarks import data_remarks, declared_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.results import Results
    from zsadbench.records import Record
    from zsadbench.saved_maps.plan import ScorePlan


def print_results(plan: Plan | ScorePlan, results: Results, extra: Sequence[str] = ()) -> None:
    """Print one table per target with every method's classes and mean, then signatures, records and reasons.

    Folders of one name with other content are targets of their own, told apart by digits of the fingerprint. Where a
    200-threshold variant is among the `extra` metrics, a line says which rates its thresholds cover. A method with
    several settings has one row per setting, the mean over classes, in a table with the options that differ.
    """
    from zsadbench.compare.measured import entry_names, target_names

    settings = _settings(plan)
    cells = [record.cell for _, record in results.records]
    targets, entries = target_names(cells), entry_names(cells)
    for target in dict.fromkeys(targets):
        places = [place for place, name in enumerate(targets) if name == target]
        records = [results.records[place] for place in places]
        added = _of_benchmark(records[0][1].cell["target"]["name"], plan)
        metrics = [*map(str, plan.metrics), *added]
        seeds_of: dict[str, list[Record]] = {}
        for place in places:
            seeds_of.setdefault(entries[place], []).append(results.records[place][1])
        title, optional = _title(target, records), _optional(records, metrics, (*extra, *added))
        plain = [seeds for seeds in seeds_of.values() if identity(seeds[0].cell) not in settings]
        rows = [row for seeds in plain for row in table_rows(seeds, metrics)]
        headings = [HEADINGS.get(name, name) for name in metrics]
        if rows:
            table(title, ["method", "class", *headings], rows, optional=optional)
        swept = [seeds for seeds in seeds_of.values() if seeds not in plain]
        for method in dict.fromkeys(seeds[0].cell["method"] for seeds in swept):
            of_method = [seeds for seeds in swept if seeds[0].cell["method"] == method]
            names = list(settings[identity(of_method[0][0].cell)])
            shown = [_setting_row(seeds, settings[identity(seeds[0].cell)], metrics) for seeds in of_method]
            table(f"{title}: settings of {method}", [*names, "classes", *headings], shown, optional=optional)
        for path, record in records:
            say(record.signature, f"  {path}")
            for line in (*span_remarks(path, extra), *remarks(record)):
                say(f"  {line}")
        say("")


def _settings(plan: Plan | ScorePlan) -> dict[str, Mapping[str, Any]]:
    """Return the options in which settings of a method differ, by the identity of each record of such a method."""
    from zsadbench.engine.plan.settings import differing

    jobs = getattr(plan, "jobs", ())
    found = differing([job.setup.method for job in jobs])
    return {identity(job.cell): values for job, values in zip(jobs, found, strict=True) if values}


def _setting_row(seeds: Sequence[Record], values: Mapping[str, Any], metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the row of one setting: its options, the number of classes, and the means over them."""
    from zsadbench.engine.plan.settings import value_text

    count = f"{min(len(record.classes) for record in seeds)}/{len(seeds[0].expected)}"
    return (*map(value_text, values.values()), count, *_mean_cells(seeds, metrics))


def _optional(records: Sequence[tuple[Path, Record]], metrics: Sequence[str], extra: Sequence[str]) -> list[str]:
    """Return the headings of the metrics that a narrow terminal may leave out, those to leave out first at the end.

    The pairs that papers print stay, with the AUPRO variant of the protocol, and so do the `extra` metrics.
    """
    from zsadbench.compare.measured import aupro_of

    variants = {aupro_of(record.cell["protocol"]["name"]) for _, record in records}
    kept = {"image_auroc", "image_ap", "pixel_auroc", *variants, *extra}
    return [HEADINGS.get(name, name) for name in metrics if name not in kept]


def _of_benchmark(target: str, plan: Plan | ScorePlan) -> list[str]:
    """Return the metrics that a benchmark adds to those of the plan; none for the user's own images."""
    from zsadbench.data import all_cards

    added = next((card.metrics for card in all_cards() if card.name == target), ())
    return [name for name in added if name not in map(str, plan.metrics)]


def _title(target: str, records: list[tuple[Path, Record]]) -> str:
    """Return the target, with a remark where the demo backbone made the numbers."""
    made_by_demo = any(record.cell["backbone"] == DEMO for _, record in records)
    return f"{target} (demo backbone, not CLIP)" if made_by_demo else target


def table_rows(seeds: Sequence[Record], metrics: Sequence[str]) -> list[tuple[str, ...]]:
    """Return rows of method, class and percentages of the records of one method, which differ in seed alone.

    Several seeds are one row per class, `mean ± standard deviation`. The last row is the mean over classes, left out
    where it repeats the only class.
    """
    first, label = seeds[0], _label(seeds)
    done = [name for name in first.expected if all(name in record.classes for record in seeds)]
    rows = [
        (
            label,
            name,
            *(
                _cell(
                    [record.classes[name].get(metric) for record in seeds],
                    [record.bounds.get(name, {}).get(metric) for record in seeds],
                )
                for metric in metrics
            ),
        )
        for name in done
    ]
    if len(first.expected) == 1 and rows and not first.pooled:
        return rows
    count = f"mean of {min(len(record.classes) for record in seeds)}/{len(first.expected)}"
    return [*rows, (label, count, *_mean_cells(seeds, metrics))]


def _label(seeds: Sequence[Record]) -> str:
    """Return the method with its seed, or the number of seeds, its shots and what marks its scores."""
    first = seeds[0]
    cell = first.cell
    label = str(cell["method"])
    if len(seeds) > 1:
        label += f", {len(seeds)} seeds"
    elif cell["seed"]:
        label += f" ({cell['seed']})"
    if cell["shots"]:
        label += f", {cell['shots']} shots"
        label += "" if len(seeds) > 1 or cell.get("external") else f" ({first.provenance.get('support_seed', 0)})"
    label += ", external" if cell.get("external") else ""
    label += ", unofficial" if cell.get("unofficial") else ""
    return label + (", transductive" if cell.get("transductive") else "")


def _mean_cells(seeds: Sequence[Record], metrics: Sequence[str]) -> list[str]:
    """Return the means over classes; a mean over some of the classes only is followed by their number."""
    means = [record.mean() for record in seeds]
    bounds = [_mean_bounds(record, metrics) for record in seeds]
    cells = []
    for name in metrics:
        cell = _cell([values.get(name) for values, _, _ in means], [of_seed.get(name) for of_seed in bounds])
        sizes = [counts.get(name, 0) for _, counts, _ in means]
        some = 0 < min(sizes) < len(seeds[0].classes) and cell != "-"
        cells.append(f"{cell} ({min(sizes)})" if some else cell)
    return cells


def _mean_bounds(record: Record, metrics: Sequence[str]) -> dict[str, list[float]]:
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


def _cell(values: Sequence[float | None], bounds: Sequence[Sequence[float] | None]) -> str:
    """Return the mean over seeds in percent, with its standard deviation for several seeds.

    The mean bounds follow where they differ in the digits shown. A value that is undefined for one seed gives `-`.
    """
    defined = [value for value in values if value is not None]
    if not defined or len(defined) < len(values):
        return "-"
    shown = f"{100 * mean(defined):.1f}"
    ends = [pair or (value, value) for pair, value in zip(bounds, defined, strict=True)]
    lower, upper = (f"{100 * mean(side):.1f}" for side in zip(*ends, strict=True))
    spread = f" ± {100 * stdev(defined):.1f}" if len(defined) > 1 else ""
    return shown + spread + ("" if lower == upper else f" [{lower}, {upper}]")


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
    if record.cell.get("external"):
        lines.append(f"external, {declared_text(record.cell)}")
    if step := record.cell.get("transductive"):
        lines.append(f"transductive: image scores use all test images of a class ({step})")
    if not record.comparable:
        lines.append(f"not comparable with published numbers: {'; '.join(record.not_comparable_because)}")
    return [*lines, *data_remarks(record)]
