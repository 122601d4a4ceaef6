"""Turn a request into checked jobs, before anything is built or run.

The checks come in this order: arguments of the request (exit code 2), weights and checkpoints (4), data (3).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.data import check_files, load_dataset
from zsadbench.data.images.pixel_limit import allow_pixels
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.plan.cell import cell_of, training_cell
from zsadbench.engine.plan.checks import (
    aux_for,
    check_aux,
    check_checkpoint_class,
    check_size,
    check_tuned,
    check_whole_class,
    checked_targets,
    with_backbone,
)
from zsadbench.engine.plan.done import classes_done, record_so_far, selected_classes
from zsadbench.engine.plan.engines import choose_engine
from zsadbench.engine.plan.held_out import divided
from zsadbench.engine.plan.method_setup import MethodSetup, load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import NO_AUX, RunRequest
from zsadbench.engine.plan.settings import configure_all, of_each
from zsadbench.engine.plan.supports import Supports, check_shots, choose_all_supports, load_training_parts
from zsadbench.errors import DataError, UsageError
from zsadbench.flags.out import check_out
from zsadbench.metrics.names import DEFAULT_NAMES, MetricName, parse_metric
from zsadbench.records import Record, record_path

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.data.cards.card import Card

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One record to make or to complete: a method on a target with a seed, and with supports in a few-shot run.

    `aux` is None where nothing is trained. `selected` are the classes of the request, `todo` those that the record
    lacks. `record` is the record so far; `fault` says why the file at `path` cannot be read as one, and is empty
    otherwise. A file with a fault is not replaced.
    """

    setup: MethodSetup
    target: Dataset
    aux: Dataset | None
    seed: int
    cell: dict[str, Any]
    path: Path
    selected: tuple[str, ...]
    record: Record | None
    todo: tuple[str, ...]
    fault: str = ""
    supports: Supports | None = None

    @property
    def scores_whole_class(self) -> bool:
        """Whether the images of a class are scored together, so that the class cannot be cut into shards."""
        step = self.setup.step_taken(few_shot=self.supports is not None)
        return step is not None and step.whole_class


@dataclass(frozen=True)
class Plan:
    """The jobs in order, and the metrics that every record gets; `metrics_of` adds those of a benchmark."""

    jobs: tuple[Job, ...]
    metrics: tuple[MetricName, ...]
    request: RunRequest


def make_plan(request: RunRequest, loaded: dict[str, Dataset] | None = None, *, records: bool = True) -> Plan:
    """Check a request and plan its jobs; nothing is built or run.

    Args:
        request: the arguments of `zsadbench run`.
        loaded: data sets that were loaded for another request with the same roots; those loaded now are added.
        records: whether records will be written, so that their folder is checked.

    Raises:
        UsageError: a method, target, option or other argument is wrong.
        WeightsError: weights or a checkpoint are missing or foreign.
        DataError: data sets are missing, incomplete or wrong; the message lists all of them.
    """
    choose_engine(request)
    allow_pixels(request.max_pixels)
    metrics = all_metrics(request.metrics)
    protocol = registry.protocol(request.protocol)
    configured = configure_all(request)
    targets = checked_targets(request)
    if records:
        check_out(request.out)
    check_aux(request, configured, targets)
    check_shots(request, configured)
    check_whole_class(configured, protocol)
    request = with_backbone(request, targets)
    check_size(request, configured)
    spec = resolve(request.backbone, request.weights, offline=request.offline)
    setups = of_each(configured, lambda method: load_setup(request, method, spec, protocol))
    data = load_all(request, setups, targets, {} if loaded is None else loaded)
    auxiliary = {target: data.get(aux_for(target, request.aux)) for target in targets}
    data, auxiliary = divided(request, data, auxiliary)
    check_tuned(request, [data[target] for target in targets])
    training_parts = load_training_parts(request, targets)
    supports = {target: choose_all_supports(request, data[target], training_parts.get(target)) for target in targets}
    selected = {target: selected_classes(request, data[target]) for target in targets}
    check_checkpoint_class(request, configured, selected)
    jobs = [
        _job(request, setup, data[target], seed, aux=aux, supports=chosen, selected=selected[target], metrics=metrics)
        for setup in setups
        for target, aux in auxiliary.items()
        for chosen in supports[target]
        for seed in _seeds(request, setup)
    ]
    return Plan(tuple({job.path: job for job in reversed(jobs)}.values())[::-1], metrics, request)


def _job(
    request: RunRequest,
    setup: MethodSetup,
    target: Dataset,
    seed: int,
    *,
    aux: Dataset | None,
    supports: Supports | None,
    selected: tuple[str, ...],
    metrics: Sequence[MetricName],
) -> Job:
    """Plan one record: its cell, its path, and the classes that it lacks."""
    trained_on = aux if setup.needs_aux else None
    training = training_cell(setup, trained_on, seed)
    step = setup.step_taken(few_shot=supports is not None)
    name = step.name if step else ""
    cell = cell_of(training, target, setup.protocol, setup.limit, aux=trained_on, supports=supports, transductive=name)
    path = record_path(request.out, cell)
    record, fault = record_so_far(request, path)
    wanted = frozenset(map(str, metrics_of(metrics, target.card)))
    done = set(selected) if fault else classes_done(request, record, path, wanted)
    todo = tuple(name for name in selected if name not in done)
    return Job(setup, target, trained_on, seed, cell, path, selected, record, todo, fault, supports)


def make_detector_plan(request: RunRequest) -> tuple[MethodSetup, Dataset | None]:
    """Return the setup of a request's only method, and the auxiliary set if it is to be trained; no target is loaded.

    Raises:
        UsageError, WeightsError, DataError: as `make_plan`.
    """
    allow_pixels(request.max_pixels)
    choose_device(request.device)
    if len(request.methods) != 1:
        raise UsageError("one method at a time; pass --method once")
    method = configure(registry.method_card(request.methods[0]), request.options, request.methods)
    check_aux(replace(request, allow_leak=True), [method], request.targets)
    request = with_backbone(request, request.targets)
    check_size(request, [method])
    spec = resolve(request.backbone, request.weights, offline=request.offline)
    setup = load_setup(request, method, spec, registry.protocol(request.protocol))
    aux = aux_for(request.targets[0], request.aux)
    if setup.on_supports:
        raise UsageError(
            f"'{setup.name}' learns from normal images of one class; `zsadbench train` makes a checkpoint of it, "
            "which --checkpoint takes"
        )
    if not setup.needs_aux or aux == NO_AUX:
        return setup, None
    return setup, load_all(request, [], [aux], {})[aux]


def all_metrics(extra: Sequence[str]) -> tuple[MetricName, ...]:
    """Return the metrics of every record, followed by the additional ones."""
    return tuple(dict.fromkeys((*DEFAULT_NAMES, *map(parse_metric, extra))))


def metrics_of(metrics: Sequence[MetricName], card: Card) -> tuple[MetricName, ...]:
    """Return the metrics of the records of a data set: those of every record, and those that the benchmark adds."""
    return tuple(dict.fromkeys((*metrics, *map(parse_metric, card.metrics))))


def load_all(
    request: RunRequest, setups: Sequence[MethodSetup], targets: Sequence[str], loaded: dict[str, Dataset]
) -> dict[str, Dataset]:
    """Add every target and every auxiliary set that a method trains on to `loaded`, and return it.

    Raises:
        DataError: the faults of all sets, in one message.
    """
    names = list(targets)
    if any(setup.needs_aux for setup in setups):
        names += [aux for target in targets if (aux := aux_for(target, request.aux)) != NO_AUX]
    faults: list[str] = []
    for name in dict.fromkeys(names):
        try:
            if name not in loaded:
                dataset = load_dataset(name, request.data_roots or None, request.allow_partial, normal=request.normal)
                check_files(dataset)
                loaded[name] = dataset
                for line in dataset.warnings:
                    log.warning("%s: %s", dataset.card.name, line)
        except DataError as failure:
            faults.append(str(failure))
    if faults:
        raise DataError("\nerror: ".join(faults))
    return loaded


def _seeds(request: RunRequest, setup: MethodSetup) -> tuple[int, ...]:
    """Return the seeds of a method; one that is not trained has the only seed 0."""
    if not setup.trains:
        return (0,)
    return tuple(dict.fromkeys(request.seeds)) or setup.protocol.seeds or (0,)
