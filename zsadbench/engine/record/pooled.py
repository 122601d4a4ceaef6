"""Metrics over all classes of a target together, on one scale of scores: what a mean over classes hides."""

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
    """Record key → `value`, `lower`, `upper`, `reason`, for those of `names` that are taken over all classes.

    Empty until all classes of the target are there. `images` are those of the record, one row each; `states` what
    `PixelMetrics.state` of a stream gave, by class; `masked` says whether the data set has masks.
    """
    wanted = [name for name in names if name.over == POOLED]
    if not wanted or not record.complete:
        return {}
    found: dict[str, Estimate] = {}
    levels = {name.level for name in wanted}
    if "image" in levels:
        by_kind = image_metrics(images["score"].to_numpy(), images["label"].to_numpy())
        found |= {f"image_{kind}": one for kind, one in by_kind.items()}
    if "pixel" in levels and masked:
        found |= {f"pixel_{kind}": one for kind, one in _pixels(record.expected, states).items()}
    nothing = Estimate.undefined(NO_MASKS)
    return {str(name): asdict(found.get(f"{name.level}_{name.kind}", nothing)) for name in wanted}


def _pixels(classes: Sequence[str], states: Mapping[str, Arrays]) -> Mapping[str, Estimate]:
    """The metrics of the pixels of all classes."""
    lost = [name for name in classes if name not in states]
    if lost:
        reason = f"the counts of pixels of {', '.join(lost)} are lost; --overwrite always makes them anew"
        return dict.fromkeys(("auroc", "ap", "f1max"), Estimate.undefined(reason))
    whole = PixelMetrics.from_state(states[classes[0]])
    for name in classes[1:]:
        whole.merge(PixelMetrics.from_state(states[name]))
    return whole.compute()
