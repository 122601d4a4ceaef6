"""Choose options of methods on an auxiliary set: `zsadbench tune`.

The classes of the set are divided into folds. Each setting is trained on the classes of all folds but one and evaluated
on this one (a method without training is only evaluated), so that it never sees a target. A fold is a plan of its own,
whose records and checkpoints are kept: the same call again goes on where an earlier one ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from zsadbench.data import find_card
from zsadbench.engine.plan.checks import aux_for
from zsadbench.engine.plan.held_out import folds_of
from zsadbench.engine.plan.jobs import Plan, load_all, make_plan
from zsadbench.engine.plan.request import NO_AUX, RunRequest
from zsadbench.engine.plan.settings import configure_all, differing
from zsadbench.engine.plan.sweep_file import as_text
from zsadbench.errors import UsageError
from zsadbench.metrics.names import parse_metric
from zsadbench.selection import toml_text

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job
    from zsadbench.engine.plan.options import ConfiguredMethod
    from zsadbench.engine.results import Results

METRIC, FOLDS = "pixel_auroc", 3  # the defaults
BARE = re.compile(r"[\w-]+", re.ASCII)  # keys that TOML takes without quotes


@dataclass(frozen=True)
class TuningPlan:
    """The plans of a tuning, one per fold.

    Attributes:
        aux: the name of the auxiliary set.
        fingerprint: of the whole set.
        metric: the metric that is to be large.
        folds: the classes of each fold, which are evaluated.
        plans: per fold the plan of all settings.
    """

    aux: str
    fingerprint: str
    metric: str
    folds: tuple[tuple[str, ...], ...]
    plans: tuple[Plan, ...]


@dataclass(frozen=True)
class Setting:
    """One setting of a method with its results.

    Attributes:
        method: the method with its options and recipe.
        values: the options in which the settings of the method differ.
        folds: per fold the metric as a fraction, the mean over its classes and over seeds; None where it is undefined.
        seeds: the seeds of the trainings.
        why: why a fold has no value; empty if all have one.
    """

    method: ConfiguredMethod
    values: Mapping[str, Any]
    folds: tuple[float | None, ...]
    seeds: tuple[int, ...]
    why: str = ""

    @property
    def name(self) -> str:
        """The name of the method."""
        return self.method.card.name

    @property
    def mean(self) -> float | None:
        """The mean over folds; None where a fold has no value."""
        defined = [value for value in self.folds if value is not None]
        return fmean(defined) if len(defined) == len(self.folds) else None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation over folds; None where a fold has no value."""
        defined = [value for value in self.folds if value is not None]
        return stdev(defined) if len(defined) == len(self.folds) > 1 else None


def make_tuning_plan(request: RunRequest, metric: str = METRIC, number: int = FOLDS) -> TuningPlan:
    """Check a request and plan the runs of all folds.

    Args:
        request: its only target is the auxiliary set; `out` is the folder of the records.
        metric: the metric by which options are chosen.
        number: the number of folds.

    Raises:
        UsageError: as `make_plan`; or a method has one setting only, or the set has fewer classes than folds, or no
            masks for a metric of pixels.
        WeightsError, DataError: as `make_plan`.
    """
    name = parse_metric(metric)
    if request.aux == NO_AUX:
        raise UsageError("tune learns and evaluates on an auxiliary set; name one with --aux")
    given = configure_all(request)
    for method in request.methods:
        keys = {(as_text(one.changed()), as_text(one.recipe_changes)) for one in given if one.card.name == method}
        if len(keys) < 2:
            raise UsageError(
                f"'{method}' has one setting, so there is nothing to choose; give an option several values, "
                "-O KEY=A|B, or pass --sweep"
            )
    if name.level == "pixel" and not find_card(request.targets[0], request.normal).pixel_level:
        raise UsageError(f"'{request.targets[0]}' has no masks, so it has no {name}; choose another --aux or --metric")
    aux = aux_for(request.targets[0], request.targets[0])
    loaded = load_all(request, [], [aux], {})
    classes = loaded[aux].classes
    if not 2 <= number <= len(classes):
        raise UsageError(f"--folds is {number}; '{aux}' has {len(classes)} classes, so it takes 2 to {len(classes)}")
    folds = tuple(folds_of(classes, number))
    request = replace(request, metrics=tuple(dict.fromkeys((*request.metrics, str(name)))))
    plans = tuple(make_plan(replace(request, held_out=fold), loaded) for fold in folds)
    return TuningPlan(loaded[aux].card.name, loaded[aux].fingerprint, str(name), folds, plans)


def settings_in(tuning: TuningPlan, results: Sequence[Results]) -> list[Setting]:
    """Return every setting with its values per fold, in the order of the plan.

    Args:
        tuning: from `make_tuning_plan`.
        results: of its plans, in their order.
    """
    first: dict[tuple[str, str, str], list[Job]] = {}
    for job in tuning.plans[0].jobs:
        first.setdefault(_key(job), []).append(job)
    found = differing([jobs[0].setup.method for jobs in first.values()])
    by_fold = [_values(plan, of_plan, tuning.metric) for plan, of_plan in zip(tuning.plans, results, strict=True)]
    settings = []
    for (key, jobs), values in zip(first.items(), found, strict=True):
        folds = [of_fold[key] for of_fold in by_fold]
        why = next((reason for _, reason in folds if reason), "")
        seeds = tuple(job.seed for job in jobs)
        settings.append(Setting(jobs[0].setup.method, values, tuple(value for value, _ in folds), seeds, why))
    return settings


def _key(job: Job) -> tuple[str, str, str]:
    method = job.setup.method
    return job.setup.name, as_text(method.changed()), as_text(method.recipe_changes)


def _values(plan: Plan, results: Results, metric: str) -> dict[tuple[str, str, str], tuple[float | None, str]]:
    """Return the mean over the seeds of each setting on one fold, or None and the reason."""
    records = dict(results.records)
    by_key: dict[tuple[str, str, str], list[tuple[float | None, str]]] = {}
    for job in plan.jobs:
        means, _, reasons = records[job.path].mean() if job.path in records else ({}, {}, {})
        value = means.get(metric)
        why = "" if value is not None else reasons.get(metric, "it was not evaluated")
        by_key.setdefault(_key(job), []).append((value, why))
    found: dict[tuple[str, str, str], tuple[float | None, str]] = {}
    for key, of_seeds in by_key.items():
        defined = [value for value, _ in of_seeds if value is not None]
        why = next((reason for _, reason in of_seeds if reason), "")
        found[key] = (fmean(defined) if len(defined) == len(of_seeds) else None, why)
    return found


def best_of(settings: Sequence[Setting], method: str) -> Setting | None:
    """Return the setting of a method with the largest mean, the first of equal ones; None where one has no mean."""
    own = [setting for setting in settings if setting.name == method]
    if any(setting.mean is None for setting in own):
        return None
    return max(own, key=lambda setting: setting.mean or 0.0)


def as_toml(tuning: TuningPlan, settings: Sequence[Setting], chosen: Sequence[Setting]) -> str:
    """Return the chosen options, and how they were chosen, as a file for `run --sweep`."""
    lines = [
        f"# Options that zsadbench tune chose on {tuning.aux}, for zsadbench run --sweep. [tuned.METHOD] says how",
        "# they were chosen; the ledger of a record states it where the run has exactly these options.",
    ]
    for setting in chosen:
        options, recipe = setting.method.changed(), dict(setting.method.recipe_changes)
        lines += ["", f"[{_toml_key(setting.name)}]"]
        lines += [f"{key} = {_toml(value, of_grid=True)}" for key, value in options.items()]
        lines += [f"recipe.{key} = {_toml(value)}" for key, value in recipe.items()]
    for setting in chosen:
        lines += ["", f"[tuned.{_toml_key(setting.name)}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in _provenance(tuning, settings, setting)]
    return "\n".join(lines) + "\n"


def _provenance(tuning: TuningPlan, settings: Sequence[Setting], chosen: Setting) -> Iterator[tuple[str, Any]]:
    """Yield how the options of a method were chosen, as `sweep_file.Tuned` reads it, and more for people."""
    own = [setting for setting in settings if setting.name == chosen.name]
    job = next(job for job in tuning.plans[0].jobs if job.setup.name == chosen.name)
    yield "aux", tuning.aux
    yield "fingerprint", tuning.fingerprint
    yield "metric", tuning.metric
    yield "settings", len(own)
    yield "folds", len(tuning.folds)
    yield "seeds", list(chosen.seeds)
    yield "options", chosen.method.changed()
    yield "recipe", dict(chosen.method.recipe_changes)
    yield "classes", [list(fold) for fold in tuning.folds]
    yield "mean", chosen.mean
    yield "spread", chosen.spread
    yield "backbone", job.cell["backbone"]
    yield "weights_sha256", job.cell["weights_sha256"]
    yield "protocol", job.cell["protocol"]["name"]
    yield "image_size", job.cell["image_size"]
    yield "zsadbench", version("zsadbench")
    yield "tried", [{"setting": dict(one.values), "mean": one.mean, "spread": one.spread} for one in own]


def _toml_key(name: str) -> str:
    return name if BARE.fullmatch(name) else toml_text(name)


def _toml(value: Any, *, of_grid: bool = False) -> str:
    """Spell a value as TOML; with `of_grid` a list as the only value of a grid."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_text(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        rows = bool(value) and isinstance(value[0], list | tuple | Mapping)  # one a line
        parts = [f"\n    {_toml(part)}," for part in value] if rows else [", ".join(map(_toml, value))]
        whole = "[" + "".join(parts) + ("\n]" if rows else "]")
        return f"[{whole}]" if of_grid else whole
    if isinstance(value, str):
        return toml_text(value)
    return "''" if value is None else json.dumps(value) if isinstance(value, bool) else repr(value)
