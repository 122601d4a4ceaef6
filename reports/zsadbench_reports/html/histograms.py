"""Scores of images as data of the page: histograms per class, and how many bad parts pass at few false alarms.

An image is an alarm when its score is above the threshold. Bins are half-open on the left, so that the counts on both
sides of every edge are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsadbench.compare import Board
from zsadbench.compare.frame import GROUP
from zsadbench.records import Record, read_images
from zsadbench_reports.html.cells import without_empty
from zsadbench_reports.html.measured import seed_order

BINS = (48, 24, 12)  # numbers of bins, until the page is small enough
FALSE_ALARMS = (0.01, 0.05, 0.10)  # shares of normal images that may be above the threshold
Scores = NDArray[np.float64]


class RecordImages(NamedTuple):
    """The table of the images of one record, and the entry and target that it belongs to."""

    entry: str
    target: str
    images: pd.DataFrame


def records_with_images(board: Board) -> list[list[RecordImages]]:
    """For each comparability group, in the order of the board, the images of each entry and target, lowest seed."""
    paths = {record.signature: (path, record) for path, record in board.records}
    grouped = board.measured.groupby(GROUP, sort=False)
    return [list(_of_group(rows.drop_duplicates("signature"), paths)) for _, rows in grouped]


def _of_group(rows: pd.DataFrame, paths: Mapping[str, tuple[Path, Record]]) -> Iterator[RecordImages]:
    for (entry, target), seeds in rows.groupby(["entry", "target"], sort=False):
        first = min(seeds.itertuples(), key=lambda row: seed_order(str(row.seed)))
        images = read_images(paths[str(first.signature)][0]) if str(first.signature) in paths else None
        if images is not None and {"class", "label", "score"} <= set(images.columns):
            yield RecordImages(str(entry), str(target), images)


def histograms(records: Sequence[RecordImages], entries: Sequence[str], bins: int) -> dict[str, Any]:
    """Target → class → for each entry `histogram`, or None; classes without normal or anomalous images are left out."""
    targets: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        index = entries.index(record.entry)
        for name, rows in record.images.groupby("class", sort=False):
            scores, labels = rows["score"].to_numpy(np.float64), rows["label"].to_numpy()
            normal, anomalous = scores[labels == 0], scores[labels == 1]
            if len(normal) and len(anomalous) and np.isfinite(scores).all():
                by_entry = targets.setdefault(record.target, {}).setdefault(str(name), [None] * len(entries))
                by_entry[index] = histogram(normal, anomalous, bins)
    return without_empty(targets)


def histogram(normal: Scores, anomalous: Scores, bins: int) -> list[Any]:
    """`[lowest, highest, normal counts, anomalous counts, [[threshold, false alarms, misses], …]]`.

    The bins have equal width between the lowest and the highest score. The last list has the thresholds for
    `FALSE_ALARMS`, exact on the scores themselves.

    >>> histogram(np.array([0.0, 1.0]), np.array([0.5, 4.0]), 4)
    [0.0, 4.0, [2, 0, 0, 0], [1, 0, 0, 1], [[1.0, 0, 1], [1.0, 0, 1], [1.0, 0, 1]]]
    """
    both = np.concatenate([normal, anomalous])
    low, high = float(both.min()), float(both.max())
    edges = np.linspace(low, high, bins + 1)
    counts = [np.bincount(_bins(scores, edges), minlength=bins).tolist() for scores in (normal, anomalous)]
    points = [_operating_point(normal, anomalous, share) for share in FALSE_ALARMS]
    return [_short(low), _short(high), *counts, points]


def _bins(scores: Scores, edges: Scores) -> NDArray[np.int64]:
    """The bin of each score, half-open on the left; the lowest score is in the first bin."""
    found: NDArray[np.int64] = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, len(edges) - 2)
    return found


def _operating_point(normal: Scores, anomalous: Scores, share: float) -> list[Any]:
    """`[threshold, false alarms, misses]` for the lowest threshold above which at most `share` of `normal` lie."""
    allowed = int(np.floor(share * len(normal) + 1e-9))
    threshold = np.sort(normal)[::-1][min(allowed, len(normal) - 1)]
    return [_short(float(threshold)), int((normal > threshold).sum()), int((anomalous <= threshold).sum())]


def _short(value: float) -> float:
    return float(f"{value:.4g}")
