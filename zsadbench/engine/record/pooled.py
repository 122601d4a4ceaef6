"""Compute metrics over all classes of a target together: the scores of all classes are ranked as one set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zsadbench.metrics import Estimate, MetricName, PixelMetrics, image_metrics
from zsadbench.metrics.by_class import NO_MASKS
from zsadbench.metrics.names import POOLED

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.records import Record
    from zsadbench.records.sidecars import Arrays


def pooled_entries(
    names: Sequence[MetricName], record: Record, images: pd.DataFrame, states: Mapping[str, Arrays], *, masked: bool
) -> dict[str, dict[str, Any]]:
    """Compute those of `names` that are taken over all classes; empty until all classes are evaluated.

    Args:
        names: all metrics of the record.
        record: with all of its classes.
        images: of the record, one row per image.
        states: pixel counts by class, from `PixelMetrics.state` in streaming mode.
        masked: whether the data set has masks.

    Returns:
        `value`, `lower`, `upper` and `reason` by metric name.
    """
    pooled = [name for name in names if name.over == POOLED]
    if not pooled or not record.complete:
        return {}
    estimates: dict[str, Estimate] = {}
    levels = {name.level for name in pooled}
    if "image" in levels:
        of_images = _image_metrics(record, images)
        estimates |= {f"image_{kind}": estimate for kind, estimate in of_images.items()}
    if "pixel" in levels and masked:
        of_pixels = _pixel_metrics(record.expected, states)
        estimates |= {f"pixel_{kind}": estimate for kind, estimate in of_pixels.items()}
    no_masks = Estimate.undefined(NO_MASKS)
    return {str(name): asdict(estimates.get(f"{name.level}_{name.kind}", no_masks)) for name in pooled}


def _image_metrics(record: Record, images: pd.DataFrame) -> Mapping[str, Estimate]:
    """Compute the metrics of the images of all classes; undefined where rows of a class are missing."""
    rows = images.groupby(["class", "label"]).size()
    lost = [
        name
        for name in record.expected
        if [rows.get((name, label), 0) for label in (0, 1)]
        != [record.counts[name][label] for label in ("normal", "anomalous")]
    ]
    if lost:
        reason = f"the rows of {', '.join(lost)} in the table of images are lost; --overwrite always makes them again"
        return dict.fromkeys(("auroc", "ap", "f1max"), Estimate.undefined(reason))
    return image_metrics(images["score"].to_numpy(), images["label"].to_numpy())


def _pixel_metrics(classes: Sequence[str], states: Mapping[str, Arrays]) -> Mapping[str, Estimate]:
    """Compute the metrics of the pixels of all classes; undefined where the counts of a class are missing."""
    lost = [name for name in classes if name not in states]
    if lost:
        reason = f"the counts of pixels of {', '.join(lost)} are lost; --overwrite always makes them again"
        return dict.fromkeys(("auroc", "ap", "f1max"), Estimate.undefined(reason))
    whole = PixelMetrics.from_state(states[classes[0]])
    for name in classes[1:]:
        whole.merge(PixelMetrics.from_state(states[name]))
    return whole.compute()
