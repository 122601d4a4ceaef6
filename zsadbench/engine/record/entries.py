"""What one class, and the detector that scored it, add to a record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from zsadbench.clip import Backbone
from zsadbench.engine.evaluate.classes import ClassResult
from zsadbench.engine.learn.detector import Trained
from zsadbench.engine.plan.jobs import Job
from zsadbench.files import file_sha256
from zsadbench.records import Record

T = TypeVar("T")


def enter(record: Record, class_name: str, result: ClassResult) -> Record:
    """The record with the numbers of one class, in place of older ones; the one that was given stays as it is."""
    values = {name: estimate.value for name, estimate in result.estimates.items()}
    reasons = {name: one.reason for name, one in result.estimates.items() if one.value is None and one.reason}
    bounds = {
        name: [one.lower, one.upper]
        for name, one in result.estimates.items()
        if one.value is not None and one.lower is not None and one.upper is not None and one.lower != one.upper
    }
    return replace(
        record,
        classes={**record.classes, class_name: values},
        counts={**record.counts, class_name: result.counts},
        undefined=_replaced(record.undefined, class_name, reasons),
        bounds=_replaced(record.bounds, class_name, bounds),
    )


def _replaced(table: dict[str, T], name: str, entry: T) -> dict[str, T]:
    """The table with another entry under `name`, or without it where the entry is empty."""
    kept = {key: value for key, value in table.items() if key != name}
    return {**kept, name: entry} if entry else kept


def origin(trained: Trained, job: Job) -> dict[str, Any]:
    """Which checkpoint, weights, copy of the data and seed of the supports a record was made with."""
    path = trained.checkpoint
    return {
        "checkpoint": path.name if path else None,
        "checkpoint_sha256": file_sha256(path) if path else None,
        "data_layout": job.target.layout,
        "data_edition": job.target.edition or None,
        "backbone_sizes": job.setup.spec.config.sizes(),
        "weights": job.setup.spec.weights.label,
        **({"support_seed": job.supports.seed} if job.supports else {}),
    }


def parameters(trained: Trained, backbone: Backbone) -> dict[str, int]:
    """Parameters of the towers and the head together, and those of them that are trained."""
    network = getattr(trained.method, "network", None)
    own = list(network.parameters()) if network is not None else []
    total = backbone.count_parameters() + sum(p.numel() for p in own)
    return {"parameters_total": total, "parameters_trained": sum(p.numel() for p in own if p.requires_grad)}
