"""Which methods of a folder of results have no cost of their own, because all of their runs shared an encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.engine.plan.method_setup import MethodSetup, load_setup
from zsadbench.engine.plan.options import ConfiguredMethod, build_options
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError
from zsadbench.profile.request import ProfileRequest
from zsadbench.records import Record, canonical, find_records


def records_without_cost(results: Path) -> list[Record]:
    """One zero-shot record for every method, options, backbone, size and precision that was only timed with others.

    Raises:
        UsageError: there is none.
    """
    alike: dict[str, list[Record]] = {}
    for _, record in find_records(results):
        if record.cost.get("seconds") and not record.cell["shots"]:
            alike.setdefault(canonical(_key(record.cell)), []).append(record)
    shared = [found[0] for found in alike.values() if all(record.cost.get("shared") for record in found)]
    if not shared:
        raise UsageError(
            f"no record below '{results}' lacks a cost of its own; name methods to measure them anyway: --method"
        )
    return shared


def setups_of(records: Sequence[Record], request: ProfileRequest) -> list[MethodSetup]:
    """The setups of the methods of records; the backbone and weights of the request take the place of theirs.

    Raises:
        UsageError: the backbone is not that of the records, the request has several, or the records name one that is
            known by its file alone.
        WeightsError: weights of the records are missing.
    """
    if len(request.backbones) > 1:
        raise UsageError("--into without --method measures the backbone of the records; --backbone takes one then")
    run = replace(request.run, backbone=next(iter(request.backbones), None))
    return [_setup(record, run) for record in records]


def _key(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {name: cell[name] for name in ("method", "options", "backbone", "image_size", "precision")}


def _setup(record: Record, run: RunRequest) -> MethodSetup:
    cell = record.cell
    card = registry.method_card(cell["method"])
    weights = run.weights or record.provenance.get("weights")
    spec = resolve(run.backbone or cell["backbone"], weights, offline=run.offline)
    if spec.name != cell["backbone"]:
        raise UsageError(f"--backbone: the records ran on '{cell['backbone']}', not on '{spec.name}'")
    method = ConfiguredMethod(card, build_options(card, cell["options"]), card.recipe)
    request = replace(run, methods=(card.name,), image_size=cell["image_size"], precision=cell["precision"])
    return load_setup(request, method, spec, registry.protocol(request.protocol))
