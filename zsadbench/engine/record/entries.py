"""What one class, and the detector that scored it, add to a record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from zsadbench.clip import Backbone
from zsadbench.engine.evaluate.measure import ClassResult
from zsadbench.engine.learn.detector import Trained
from zsadbench.engine.plan.jobs import Job
from zsadbench.engine.record.details import bounds_of
from zsadbench.files import file_sha256
from zsadbench.records import Record

T = TypeVar("T")


def with_class(record: Record, class_name: str, result: ClassResult) -> Record:
    """Return the record with the numbers of one class, in place of older ones; the record given is not changed."""
    values = {name: estimate.value for name, estimate in result.estimates.items()}
    undefined = {name: one.reason for name, one in result.estimates.items() if one.value is None and one.reason}
    bounds = bounds_of({name: one for name, one in result.estimates.items() if one.value is not None})
    return replace(
        record,
        classes={**record.classes, class_name: values},
        counts={**record.counts, class_name: result.counts},
        undefined=_with_entry(record.undefined, class_name, undefined),
        bounds=_with_entry(record.bounds, class_name, bounds),
    )


def _with_entry(table: dict[str, T], name: str, entry: T) -> dict[str, T]:
    """Return the table with this entry under `name`, or without one where the entry is empty."""
    kept = {key: value for key, value in table.items() if key != name}
    return {**kept, name: entry} if entry else kept


def origin(trained: Trained, job: Job) -> dict[str, Any]:
    """Return which checkpoint, weights, copy of the data and support seed a record was made with."""
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
    """Count the parameters of both encoders and the head together, and the trained ones among them."""
    network = getattr(trained.method, "network", None)
    head = list(network.parameters()) if network is not None else []
    total = backbone.count_parameters() + sum(p.numel() for p in head)
    return {"parameters_total": total, "parameters_trained": sum(p.numel() for p in head if p.requires_grad)}
