"""Check the training: a finite loss, gradients where parts are trained and nowhere else, and steps that change it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from zsadbench.conformance.finding import FaultError, NotApplicableError
from zsadbench.conformance.subject import ROWS, Subject
from zsadbench.engine.learn.loop import augmented, begin_stage, make_optimiser, step
from zsadbench.engine.machine.method_calls import call_method, checked_losses, checked_network
from zsadbench.engine.machine.modes import training_mode
from zsadbench.types import Recipe

STEPS = 2  # a part that starts at zero lets gradients through after the first


@dataclass
class StageTrace:
    """What some steps of one training stage did.

    `losses` are the totals before each step; `unreached` are parts that are trained and get no gradient, `frozen` parts
    that are not trained and were changed, `changed` the number of tensors that were changed.
    """

    name: str
    losses: list[float] = field(default_factory=list)
    unreached: set[str] = field(default_factory=set)
    frozen: set[str] = field(default_factory=set)
    changed: int = 0


@dataclass
class Trace:
    """A detector after some steps of every stage, and what they did; `tower` is False where the backbone changed."""

    detector: Any
    stages: list[StageTrace]
    tower: bool


def _optimised(subject: Subject) -> Recipe:
    recipe = subject.card.recipe
    if recipe is None or recipe.one_pass:
        raise NotApplicableError("it learns nothing by gradients")
    return recipe


def _stages_of(recipe: Recipe | None) -> Iterator[Recipe]:
    """Yield the recipes of all stages, the first stage first."""
    if recipe is not None:
        yield from _stages_of(recipe.before)
        yield recipe


def _tower_tensors(subject: Subject) -> list[Tensor]:
    towers = [subject.backbone.vision]
    if subject.backbone.spec.config.kind != "vision-only":
        towers.append(subject.backbone.text)  # type: ignore[arg-type]
    return [parameter for tower in towers for parameter in tower.parameters()]


def check_loss(subject: Subject) -> str:
    """Check that the loss is a mapping of names to finite scalars that depends on a trained parameter."""
    _optimised(subject)
    detector = subject.make()
    checked_network(subject.card.name, detector)
    with training_mode(detector):
        tokens = subject.encode(detector, subject.images, subject.batch().class_names)
        returned = call_method(subject.card.name, "loss", detector.loss, tokens, subject.batch())
    losses = checked_losses(subject.card.name, returned, "")
    values = {term: float(torch.as_tensor(value).detach()) for term, value in losses.items()}
    for term, value in values.items():
        if not math.isfinite(value):
            raise FaultError(f"the loss '{term}' is {value}")
    return ", ".join(f"{term} {value:.3g}" for term, value in values.items())


@lru_cache(maxsize=1)
def trace_of(subject: Subject) -> Trace:
    """Take some steps of every stage of the recipe; of one subject, once.

    Raises:
        CellError: a step fails.
        NotApplicableError: nothing is learned by gradients.
    """
    recipe, detector = _optimised(subject), subject.make()
    before = [tensor.detach().clone() for tensor in _tower_tensors(subject)]
    with training_mode(detector), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = [_train_stage(subject, detector, stage) for stage in _stages_of(recipe)]
    kept = all(
        torch.equal(one, other) and one.grad is None and not one.requires_grad
        for one, other in zip(_tower_tensors(subject), before, strict=True)
    )
    return Trace(detector, stages, kept)


def _train_stage(subject: Subject, detector: Any, recipe: Recipe) -> StageTrace:
    name = subject.card.name
    begin_stage(name, detector, recipe)
    trace, optimiser, network = StageTrace(recipe.stage), make_optimiser(detector, recipe), detector.network
    trained = {key for key, parameter in network.named_parameters() if parameter.requires_grad}
    before = {key: parameter.detach().clone() for key, parameter in network.named_parameters()}
    trace.unreached = set(trained)
    network.zero_grad(set_to_none=True)
    for number in range(1, STEPS + 1):
        batch = augmented(name, detector, subject.batch(ROWS), (0, number))
        tokens = subject.encode(detector, batch.images, batch.class_names)
        trace.losses.append(step(detector, tokens, batch, optimiser, name=name, number=number))
        trace.unreached -= {key for key, parameter in network.named_parameters() if _reached(parameter)}
    changed = {key for key, parameter in network.named_parameters() if not torch.equal(parameter, before[key])}
    trace.frozen, trace.changed = changed - trained, len(changed)
    return trace


def _reached(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


def check_gradients(subject: Subject) -> str:
    """Check that gradients reach every part that is trained, and neither the backbone nor anything else."""
    trace, reached = trace_of(subject), 0
    for stage in trace.stages:
        where = f" in the stage '{stage.name}'" if stage.name else ""
        if stage.unreached:
            raise FaultError(f"no gradient reaches {_some(stage.unreached)}{where}")
        if stage.frozen:
            raise FaultError(f"{_some(stage.frozen)} does not require a gradient and is changed{where}")
        reached += stage.changed
    if not trace.tower:
        raise FaultError("the frozen backbone requires gradients, or was changed")
    if outside := _outside(subject, trace.detector):
        raise FaultError(f"{_some(outside)} requires a gradient and is no part of 'network'")
    return f"{reached} tensors are trained, the backbone is not"


def _some(names: set[str]) -> str:
    first = sorted(names)
    return f"'{first[0]}'" + (f" and {len(first) - 1} more" if len(first) > 1 else "")


def _outside(subject: Subject, detector: Any) -> set[str]:
    """Return attributes of the detector that require a gradient and are in no checkpoint."""
    inside = {id(tensor) for tensor in [*detector.network.parameters(), *_tower_tensors(subject)]}
    found = set()
    for name, value in vars(detector).items():
        tensors = [*value.parameters()] if isinstance(value, nn.Module) else [value]
        leaves = [one for one in tensors if isinstance(one, Tensor) and one.requires_grad and one.is_leaf]
        if any(id(one) not in inside for one in leaves):
            found.add(name)
    return found


def check_training(subject: Subject) -> str:
    """Check that optimiser steps of every stage change parameters and the loss, and leave both finite."""
    told = []
    for stage in trace_of(subject).stages:
        where = f" in the stage '{stage.name}'" if stage.name else ""
        first, *_, last = stage.losses
        if not stage.changed:
            raise FaultError(f"optimiser steps change no parameter{where}")
        if first == last:
            raise FaultError(f"an optimiser step does not change the loss{where}: {first:.3g}")
        told.append(f"loss {first:.4g} → {last:.4g}{where}")
    return ", ".join(told)
