"""Measured numbers as `leaderboard.json`, in the shape in which Papers with Code passed its tables on.

    [{task, datasets: [{dataset, dataset_links, subdatasets: [{dataset, sota: {metrics, rows}}]}]}]

A `subdataset` is one comparability group, so that no list ranks what may not be compared. Metrics are strings in
percent, as that format has them. Beside its fields, a row has the seeds, standard deviations and signatures that stand
behind its numbers. What is not comparable, and what papers print, is left out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench.compare import Board, Report, Score, over_seeds, paper_of
from zsadbench.compare.groups import GROUP, group_of
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


class _List(NamedTuple):
    """One list of models: where it stands, and its rows."""

    task: str
    target: str
    group: str
    sota: Mapping[str, Any]


def write_leaderboard(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write the file below `out`, or nothing where no record is comparable; there are no templates to override."""
    lists = list(_lists(board))
    if not lists:
        log.info("no %s: no record is comparable with published numbers", FILE)
        return []
    tasks = [_task(board, task, lists) for task in dict.fromkeys(one.task for one in lists)]
    text = json.dumps(tasks, indent=1, ensure_ascii=False, allow_nan=False)
    return [write(out, FILE, text + "\n")]


def _lists(board: Board) -> Iterator[_List]:
    measured = board.measured
    for _, rows in measured[measured["comparable"]].groupby(GROUP, sort=False):
        group, scores = group_of(board, rows), over_seeds(rows)
        tasks = TASKS if str(rows["shots"].iloc[0]) == "0" else SHOTS
        for target in group.targets:
            here = rows[rows["target"] == target]
            for level, task in tasks.items():
                metrics = [name for name in METRICS if name.startswith(level) and name in set(here["metric"])]
                models = [_model(board, part, metrics, scores) for _, part in here.groupby("entry", sort=False)]
                kept = [model for model in models if model["metrics"]]
                if kept:
                    sota = {"metrics": [METRICS[name] for name in metrics], "rows": kept}
                    yield _List(task, target, group.name, sota)


def _model(board: Board, rows: pd.DataFrame, metrics: Sequence[str], scores: Mapping[Any, Score]) -> dict[str, Any]:
    first = rows.iloc[0]
    found = {name: scores[first["entry"], first["target"], "mean", name] for name in metrics}
    values = {METRICS[name]: f"{100 * one.value:.1f}" for name, one in found.items() if one.value is not None}
    spreads = {METRICS[name]: f"{100 * one.spread:.1f}" for name, one in found.items() if one.spread is not None}
    paper = paper_of(str(first["method"]))
    signatures = list(dict.fromkeys(rows["signature"]))
    learned = {one.cell["aux"]["name"] for _, one in board.records if one.signature in signatures and one.cell["aux"]}
    return {
        "model_name": first["entry"],
        "paper_title": paper.title if paper else "",
        "paper_url": paper.url if paper else "",
        "code_links": [{"title": "code", "url": paper.code}] if paper and paper.code else [],
        "metrics": values,
        "uses_additional_data": bool(learned),
        "additional_data": sorted(learned),
        "standard_deviations": spreads,
        "seeds": list(dict.fromkeys(rows["seed"])),
        "signatures": signatures,
    }


def _task(board: Board, task: str, lists: Sequence[_List]) -> dict[str, Any]:
    own = [one for one in lists if one.task == task]
    datasets = []
    for target in dict.fromkeys(one.target for one in own):
        about = board.dataset(target)
        links = [{"title": about.title, "url": about.homepage}] if about.homepage else []
        parts = [{"dataset": one.group, "sota": one.sota} for one in own if one.target == target]
        datasets.append({"dataset": about.title, "dataset_links": links, "subdatasets": parts})
    return {"task": task, "datasets": datasets}


REPORT = Report(write_leaderboard)
