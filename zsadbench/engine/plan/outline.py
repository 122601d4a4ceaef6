"""Outline a run of which weights or data are missing: the jobs that can be planned, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.data import find_card
from zsadbench.engine.plan.checks import aux_for, checked_targets, with_backbone
from zsadbench.engine.plan.jobs import Plan, all_metrics, load_all, make_plan
from zsadbench.engine.plan.method_setup import load_setup
from zsadbench.engine.plan.request import NO_AUX, RunRequest
from zsadbench.engine.plan.settings import configure_all, differing, setting_text
from zsadbench.engine.plan.supports import choose_all_supports, load_training_parts
from zsadbench.errors import DataError, WeightsError

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.options import ConfiguredMethod

WEIGHTS = "weights"


@dataclass(frozen=True)
class OutlinedJob:
    """A job that cannot be planned yet, as its identity depends on what is not there.

    `setting` has the options in which the settings of the method differ.
    `classes` are those of the request according to the card of the target, and `missing` names what the job lacks, by
    the keys of `Outline.missing`; empty if only other jobs on its target lack something.
    """

    method: str
    setting: str
    target: str
    seed: int
    shots: int
    support_seed: int | None
    aux: str | None
    classes: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Outline:
    """The plan of the targets that lack nothing, the jobs on the others, and what is missing: name → why."""

    plan: Plan
    outlined: tuple[OutlinedJob, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)


def outline(request: RunRequest) -> Outline:
    """Plan a request as far as that can be done with what is there.

    Raises:
        UsageError: as `make_plan`.
        DataError: a folder or a table of the user is not there.
    """
    loaded: dict[str, Dataset] = {}
    try:
        return Outline(make_plan(request, loaded))
    except (WeightsError, DataError):
        pass
    methods = configure_all(request)
    targets = checked_targets(request)
    settled = with_backbone(request, targets)
    missing = _missing_weights(settled, methods)
    learns = any(_needs_aux(request, method) for method in methods)
    for target in targets:
        missing |= _missing_data(request, target, loaded, with_aux=learns)
    outlined = [
        job
        for method, setting in zip(methods, map(setting_text, differing(methods)), strict=True)
        for target in targets
        for job in _jobs(request, method, target, missing, setting=setting)
    ]
    lacking = {job.target for job in outlined if job.missing}
    whole = (
        [] if any(name.startswith(WEIGHTS) for name in missing) else [name for name in targets if name not in lacking]
    )
    plan = Plan((), all_metrics(request.metrics), request)
    if whole:
        known = {name for target in whole for name in find_card(target, request.normal).classes}
        classes = tuple(name for name in request.classes if name in known)
        plan = make_plan(replace(settled, targets=tuple(whole), classes=classes), loaded)
    return Outline(plan, tuple(job for job in outlined if job.target not in whole), missing)


def _missing_weights(request: RunRequest, methods: list[ConfiguredMethod]) -> dict[str, str]:
    """Return why the weights of the encoders, or else those of single methods, cannot be used."""
    missing: dict[str, str] = {}
    try:
        spec = resolve(request.backbone, request.weights, offline=True)
    except WeightsError as failure:
        return {WEIGHTS: str(failure)}
    for method in methods:
        try:
            load_setup(request, method, spec, registry.protocol(request.protocol))
        except WeightsError as failure:
            missing[f"{WEIGHTS} of {method.card.name}"] = str(failure)
    return missing


def _missing_data(request: RunRequest, target: str, loaded: dict[str, Dataset], *, with_aux: bool) -> dict[str, str]:
    """Return why a target, its auxiliary set or its training part cannot be used."""
    missing: dict[str, str] = {}
    aux = aux_for(target, request.aux)
    for name in [target, aux] if with_aux and aux != NO_AUX else [target]:
        try:
            load_all(request, [], [name], loaded)
        except DataError as failure:
            missing[_images_of(name)] = str(failure)
    try:
        part = load_training_parts(request, [target]).get(target)
        if target in loaded:
            choose_all_supports(request, loaded[target], part)
    except DataError as failure:
        missing[_training_images_of(target)] = str(failure)
    return missing


def _jobs(
    request: RunRequest, method: ConfiguredMethod, target: str, missing: dict[str, str], *, setting: str
) -> list[OutlinedJob]:
    """Return the jobs of one setting of a method on one target."""
    name, card = method.card.name, find_card(target, request.normal)
    trained = method.recipe is not None and request.checkpoint is None
    aux = aux_for(target, request.aux) if _needs_aux(request, method) else NO_AUX
    classes = tuple(one for one in card.classes if not request.classes or one in request.classes)
    published = registry.protocol(request.protocol).seeds
    seeds = (tuple(dict.fromkeys(request.seeds)) or published or (0,)) if trained else (0,)
    jobs = []
    for shots in dict.fromkeys(request.shots or (0,)):
        wanted = [WEIGHTS, f"{WEIGHTS} of {name}", _images_of(target), _images_of(aux)]
        wanted += [_training_images_of(target)] if shots else []
        lacks = tuple(one for one in dict.fromkeys(wanted) if one in missing)
        learned = None if aux == NO_AUX else aux
        supports: list[int | None] = list(dict.fromkeys(request.support_seeds or (0,))) if shots else [None]
        jobs += [
            OutlinedJob(name, setting, target, seed, shots, chosen, learned, classes, lacks)
            for chosen in supports
            for seed in seeds
        ]
    return jobs


def _needs_aux(request: RunRequest, method: ConfiguredMethod) -> bool:
    """Whether a method is trained on an auxiliary set in this run."""
    trained = method.recipe is not None and request.checkpoint is None and request.aux != NO_AUX
    return bool(trained and method.recipe is not None and not method.recipe.on_supports)


def _images_of(name: str) -> str:
    return f"images of {name}"


def _training_images_of(name: str) -> str:
    return f"training images of {name}"
