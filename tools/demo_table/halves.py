"""Metrics on some kinds of defect: all good images of a class, and its anomalous images with one of these kinds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from demo_table.runs import TARGET
from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.metrics import ClassMetrics, parse_metric
from zsadbench.records import map_path, read_images
from zsadbench_datasets.demo.kinds import SEEN_KINDS, UNSEEN_KINDS

METRICS = ("pixel_auroc", "pixel_aupro", "image_auroc")
PARTS: dict[str, tuple[str, ...]] = {
    "all": (*SEEN_KINDS, *UNSEEN_KINDS),
    "seen": SEEN_KINDS,
    "unseen": UNSEEN_KINDS,
}


def measure(record: Path, kinds: Sequence[str], metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Average each metric over the classes that have one of these kinds of defect.

    Args:
        record: a record with saved maps.
        kinds: names of kinds of defect.
        metrics: names of metrics.
    """
    images = read_images(record)
    if images is None:
        raise SystemExit(f"{record}: the table of its images is missing; run again")
    masks = _masks()
    chosen = images[(images["label"] == 0) | images["defect"].isin(kinds)]
    by_class = []
    for _, rows in chosen.groupby("class"):
        if not rows["label"].any():
            continue
        counted = ClassMetrics([parse_metric(name) for name in metrics])
        for row in rows.itertuples():
            anomaly_map = np.load(map_path(record.with_suffix(".maps"), str(row.path)))
            shape = anomaly_map.shape
            mask = _mask(masks[row.path], shape[0]) if row.label else np.zeros(shape, np.uint8)
            counted.update(np.array([row.score]), np.array([row.label]), anomaly_map[None], mask[None])
        by_class.append({name: estimate.value for name, estimate in counted.compute().items()})
    return {name: fmean(value for values in by_class if (value := values[name]) is not None) for name in metrics}


@cache
def _masks() -> dict[str, str]:
    """Relative path of an image → path of its mask."""
    manifest = load_dataset(TARGET).manifest
    return dict(zip(manifest["relative"], manifest["mask"], strict=True))


def _mask(path: str, size: int) -> NDArray[np.uint8]:
    """The mask as in the run, resized to the size of the map."""
    return resize_mask_nearest(read_mask(path), size)
