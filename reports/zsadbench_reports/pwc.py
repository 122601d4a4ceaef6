"""Measured numbers as `leaderboard.json`, in the format in which Papers with Code published its tables.

    [{task, datasets: [{dataset, dataset_links, subdatasets: [{dataset, sota: {metrics, rows}}]}]}]

A `subdataset` is one comparability group, so that each list ranks comparable numbers only. Metrics are strings in
percent, as that format has them. In addition to the fields of that format, a row has the seeds, standard deviations and
signatures of its numbers. Numbers that are not comparable and published numbers are left out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare import Board, Report, Score, over_seeds, paper_of
from zsadbench.compare.citations import own_papers
from zsadbench.compare.frame import GROUP
from zsadbench.compare.groups import group_of
from zsadbench_reports.files import write

log = logging.getLogger(__name__)

FILE = "leaderboard.json"
TASKS = {"image": "Zero-Shot Anomaly Detection", "pixel": "Zero-Shot Anomaly Segmentation"}
SHOTS = {"image": "Few-Shot Anomaly Detection", "pixel": "Few-Shot Anomaly Segmentation"}
METRICS = {
    "image_auroc": "Detection AUROC",
    "image_ap": "Detection AP",
    "image_f1max": "Detection F1-max",
    "pixel_auroc": "Segmentation AUROC",
    "pixel_ap": "Segmentation AP",
    "pixel_f1max": "Segmentation F1-max",
    "pixel_aupro": "Segmentation AUPRO",
    "pixel_aupro_200": "Segmentation AUPRO (200 thresholds, min-max)",
    "pixel_aupro_200_max": "Segmentation AUPRO (200 thresholds, max)",
}


class _Leaderboard(NamedTuple):
    """The models of one task, target and comparability group; `sota` has their metrics and rows."""

    task: str
    target: str
    group: str
    sota: Mapping[str, Any]


def write_leaderboard(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write the file below `out`, or nothing where no record is comparable; this format has no templates."""
    leaderboards = list(_leaderboards(board))
    if not leaderboards:
        log.info("no %s: no record is comparable with published numbers", FILE)
        return []
    tasks = [_task(board, task, leaderboards) for task in dict.fromkeys(each.task for each in leaderboards)]
    text = json.dumps(tasks, indent=1, ensure_ascii=False, allow_nan=False)
    return [write(out, FILE, text + "\n")]


def _leaderboards(board: Board) -> Iterator[_Leaderboard]:
    measured = board.measured
    for _, rows in measured[measured["comparable"]].groupby(GROUP, sort=False):
        group, scores = group_of(board, rows), over_seeds(rows)
        tasks = TASKS if str(rows["shots"].iloc[0]) == "0" else SHOTS
        for target in group.targets:
            of_target = rows[rows["target"] == target]
            for level, task in tasks.items():
                metrics = [name for name in METRICS if name.startswith(level) and name in set(of_target["metric"])]
                models = [_model(board, part, metrics, scores) for _, part in of_target.groupby("entry", sort=False)]
                kept = [model for model in models if model["metrics"]]
                if kept:
                    sota = {"metrics": [METRICS[name] for name in metrics], "rows": kept}
                    yield _Leaderboard(task, target, group.name, sota)


def _model(board: Board, rows: pd.DataFrame, metrics: Sequence[str], scores: Mapping[Any, Score]) -> dict[str, Any]:
    """One model: `rows` are the numbers of its entry on one target."""
    first = rows.iloc[0]
    means = {name: scores[first["entry"], first["target"], "mean", name] for name in metrics}
    values = {METRICS[name]: f"{100 * mean.value:.1f}" for name, mean in means.items() if mean.value is not None}
    spreads = {METRICS[name]: f"{100 * mean.spread:.1f}" for name, mean in means.items() if mean.spread is not None}
    paper = paper_of(str(first["method"]), own_papers(board))
    signatures = list(dict.fromkeys(rows["signature"]))
    cells = [record.cell for _, record in board.records if record.signature in signatures]
    auxiliary = {name for cell in cells if cell["aux"] for name in cell["aux"]["name"].split(", ")}
    return {
        "model_name": first["entry"],
        "paper_title": paper.title if paper else "",
        "paper_url": paper.url if paper else "",
        "code_links": [{"title": "code", "url": paper.code}] if paper and paper.code else [],
        "metrics": values,
        "uses_additional_data": bool(auxiliary),
        "additional_data": sorted(auxiliary),
        "standard_deviations": spreads,
        "seeds": list(dict.fromkeys(rows["seed"])),
        "signatures": signatures,
    }


def _task(board: Board, task: str, leaderboards: Sequence[_Leaderboard]) -> dict[str, Any]:
    of_task = [each for each in leaderboards if each.task == task]
    datasets = []
    for target in dict.fromkeys(each.target for each in of_task):
        dataset = board.dataset(target)
        links = [{"title": dataset.title, "url": dataset.homepage}] if dataset.homepage else []
        groups = [{"dataset": each.group, "sota": each.sota} for each in of_task if each.target == target]
        datasets.append({"dataset": dataset.title, "dataset_links": links, "subdatasets": groups})
    return {"task": task, "datasets": datasets}


REPORT = Report(write_leaderboard)
