"""Comparison of every printed number of a table with ours, with the verdict of `zsadbench.compare.gap`.

A number is not judged where a setting of the paper was substituted, or where the paper leaves open how the row was run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from zsadbench.compare.frame import METRIC_OF_AUPRO
from zsadbench.compare.gap import gaps
from zsadbench.compare.measured import measured
from zsadbench.compare.summary import Score, over_seeds
from zsadbench.records import Record
from zsadbench.reproduce.costs import compare_costs
from zsadbench.reproduce.layout import Layout, RowRun
from zsadbench.reproduce.numbers import NOT_COMPARABLE, NOT_RUN, ReproducedNumber


def compare_numbers(layout: Layout, records: Sequence[tuple[Path, Record]]) -> list[ReproducedNumber]:
    """Every printed number of a table's selected targets with ours: accuracies by row and target, then costs by row.

    The costs of a row come from its records on the first target.
    """
    by_path = dict(records)
    printed = layout.table.published()
    numbers: list[ReproducedNumber] = []
    first_runs: dict[tuple[str, int], RowRun] = {}
    for run in layout.runs:
        shots = "full" if run.row.shots < 0 else str(run.row.shots)
        of_row = printed[(printed["entry"] == run.row.label) & (printed["shots"] == shots)]
        numbers += _accuracies(run, of_row[of_row["target"] == run.target], by_path)
        first_runs.setdefault((run.row.label, run.row.shots), run)
    for run in first_runs.values():
        costs = printed[(printed["entry"] == run.row.label) & (printed["target"] == "")]
        numbers += compare_costs(run, costs, [record for _, record in _records_of(run, by_path)])
    return numbers


def _records_of(run: RowRun, by_path: Mapping[Path, Record]) -> list[tuple[Path, Record]]:
    return [(job.path, by_path[job.path]) for job in run.jobs if job.path in by_path]


def _accuracies(run: RowRun, printed: pd.DataFrame, by_path: Mapping[Path, Record]) -> Iterator[ReproducedNumber]:
    """The printed accuracies of one row on one target with ours."""
    records = _records_of(run, by_path)
    ours = measured(records).assign(entry=run.row.label, variant="", target=run.target)
    scores = over_seeds(ours) if records else {}
    metrics = printed["metric"].replace("pixel_aupro_unknown", METRIC_OF_AUPRO[run.row.aupro])
    printed = printed.assign(metric=metrics, variant="")
    verdicts: dict[tuple[str, str], tuple[str, str]] = {}
    if records and not run.changed and not run.row.uncertain:
        pairs = gaps(pd.concat([ours, printed], ignore_index=True))
        verdicts = {(gap.class_name, gap.metric): (gap.verdict, gap.because) for gap in pairs}
    for class_name, metric, value in zip(printed["class"], printed["metric"], printed["value"], strict=True):
        score = scores.get((run.row.label, run.target, class_name, metric))
        verdict, because = verdicts.get((class_name, metric)) or _not_judged(run, class_name, score)
        mean, spread = (score.value, score.spread) if score else (None, None)
        yield ReproducedNumber(run, class_name, metric, float(value), mean, spread, verdict, because)


def _not_judged(run: RowRun, class_name: str, score: Score | None) -> tuple[str, str]:
    """The verdict on a number that `gaps` does not judge, and the reason."""
    if run.left_out:
        return NOT_RUN, run.left_out
    if score is not None:
        return NOT_COMPARABLE, "; ".join(run.changed) or run.row.uncertain
    if run.used != run.target and class_name != "mean":
        return NOT_COMPARABLE, f"{run.used} has no such class"
    return NOT_RUN, "its run failed"
