"""Make the entries that one class, and the detector that scored it, add to a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from torch import nn

from zsadbench.clip import Backbone
from zsadbench.engine.evaluate.measure import ClassResult
from zsadbench.engine.learn.detector import Detector
from zsadbench.engine.machine.method_calls import call_method
from zsadbench.engine.plan.jobs import Job
from zsadbench.engine.plan.method_setup import MethodSetup, earlier_stage
from zsadbench.engine.record.details import bounds_of
from zsadbench.files import file_sha256
from zsadbench.method_code import code_of, is_shipped
from zsadbench.records import Record
from zsadbench.types import Method, Staged

T = TypeVar("T")


def with_class(record: Record, class_name: str, result: ClassResult) -> Record:
    """Return a new record with the numbers of one class, which replace older ones of that class."""
    estimates = result.estimates.items()
    values = {name: estimate.value for name, estimate in estimates}
    undefined = {name: estimate.reason for name, estimate in estimates if estimate.value is None and estimate.reason}
    bounds = bounds_of({name: estimate for name, estimate in estimates if estimate.value is not None})
    return replace(
        record,
        classes={**record.classes, class_name: values},
        counts={**record.counts, class_name: result.counts},
        undefined=_with_entry(record.undefined, class_name, undefined),
        bounds=_with_entry(record.bounds, class_name, bounds),
    )


def _with_entry(table: dict[str, T], name: str, entry: T) -> dict[str, T]:
    """Return the table with this entry under `name`; an empty entry is left out."""
    kept = {key: value for key, value in table.items() if key != name}
    return {**kept, name: entry} if entry else kept


def origin(detector: Detector, job: Job) -> dict[str, Any]:
    """Return the provenance of a job: checkpoint, weights, copy of the target, support seed.

    `resumed_after_epoch` is there if the training was interrupted, and went on after so many epochs.
    """
    path = detector.checkpoint
    return {
        "method": code_of(job.setup.name).provenance(),
        **_own_paper(job),
        "checkpoint": path.name if path else None,
        "checkpoint_sha256": file_sha256(path) if path else None,
        **job.target.provenance(),
        "backbone_sizes": job.setup.spec.config.sizes(),
        "weights": job.setup.spec.weights.label,
        **({"support_seed": job.supports.seed} if job.supports else {}),
        **({"resumed_after_epoch": detector.earlier_epochs} if detector.earlier_epochs else {}),
    }


def parameters(setup: MethodSetup, method: Method, backbone: Backbone) -> dict[str, int]:
    """Count the parameters of both encoders and the method together, and those that any stage of its training trains.

    Raises:
        CellError: the method fails.
    """
    network = call_method(setup.name, "network", lambda: getattr(method, "network", None))
    head = list(network.parameters()) if isinstance(network, nn.Module) else []
    trained: set[int] = set()
    for stage in reversed(list(stages_of(setup))):  # the last one comes last, as it was before
        if stage and isinstance(method, Staged):
            call_method(setup.name, "begin_stage", method.begin_stage, stage)
        trained |= {place for place, parameter in enumerate(head) if parameter.requires_grad}
    total = backbone.count_parameters() + sum(parameter.numel() for parameter in head)
    return {"parameters_total": total, "parameters_trained": sum(head[place].numel() for place in trained)}


def stages_of(setup: MethodSetup) -> Iterator[str]:
    """Yield the names of the stages of a training, the last one first; empty where it has no stages."""
    stage: MethodSetup | None = setup
    while stage is not None:
        recipe = stage.method.recipe
        yield recipe.stage if recipe else ""
        stage = earlier_stage(stage)


def _own_paper(job: Job) -> dict[str, Any]:
    """Return the paper of a method that is not shipped, so that reports cite it where it is not installed."""
    name, card = job.setup.name, job.setup.method.card
    return {} if is_shipped(name) or card.paper.venue == "none" else {"paper": card.paper.stated()}
