"""The plan of all runs that reproduce a paper's table.

A row may run with other settings than the paper's: another data set, the demo backbone, fewer images. These
substitutions are read from the planned jobs, so that they are named no matter which flag or variable they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zsadbench.clip import BackboneSpec, resolve
from zsadbench.clip.config import find_config
from zsadbench.clip.resolve import DEFAULT_BACKBONE
from zsadbench.clip.weights import OPENAI_FILES
from zsadbench.compare.paper_rows import why_left_out
from zsadbench.data import find_card
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.plan.checks import aux_for, with_backbone
from zsadbench.engine.plan.jobs import Job, Plan, make_plan
from zsadbench.engine.plan.request import NO_AUX
from zsadbench.errors import DataError, UsageError
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.compare.paper_rows import PaperRow, PaperTable
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.request import RunRequest

OPENAI = "openai"  # the weights that a run uses by default
NEXT_ERROR = "\nerror: "  # joins the messages on several data sets


@dataclass(frozen=True)
class RowRun:
    """One row of a table on one of its targets.

    Attributes:
        row: the row.
        target: the target that the paper names.
        used: the data set that is run in its place; the same as `target` without a substitution.
        jobs: the jobs that compute the row's numbers; empty where the row is left out.
        changed: the substituted settings, in words.
        left_out: why the row is not run; empty when it is.
    """

    row: PaperRow
    target: str
    used: str
    jobs: tuple[Job, ...] = ()
    changed: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True)
class Layout:
    """All runs that reproduce a table, and their jobs as one plan; `plan` is None where no row can be run."""

    table: PaperTable
    runs: tuple[RowRun, ...]
    plan: Plan | None


def target_pairs(table: PaperTable, selected: Sequence[str]) -> list[tuple[str, str]]:
    """The targets of a table to reproduce, each with the data set that is used for it.

    Targets of the table select these; one other data set is used in place of all targets.

    Raises:
        UsageError: there is no such data set, or several data sets that are not all the table's own.
        DataError: the user's own images cannot be read.
    """
    names = [name if ":" in name else find_card(name).name for name in selected]
    own = [name for name in table.targets if name in names]
    others = [name for name in names if name not in table.targets]
    if not others:
        return [(name, name) for name in own or table.targets]
    if own or len(others) > 1:
        raise UsageError(
            f"--target: {table.name} ran on {', '.join(table.targets)}; name some of these, or one other data set "
            f"to put in place of all, not {', '.join(names)}"
        )
    return [(name, others[0]) for name in table.targets]


def lay_out(table: PaperTable, user_request: RunRequest) -> Layout:
    """Check everything that a table needs and plan its jobs, without running any.

    Args:
        table: the table.
        user_request: the user's settings; methods and protocol are those of the rows instead, and the targets are taken
            as `target_pairs` does.

    Raises:
        UsageError, WeightsError, DataError: as `zsadbench.engine.plan.jobs.make_plan`.
    """
    choose_device(user_request.device)
    check_out(user_request.out)
    pairs = target_pairs(table, user_request.targets)
    planner = _Planner(user_request)
    runs: list[RowRun] = []
    plans: list[Plan] = []
    for row in table.rows:
        if why := why_left_out(row):
            runs += [RowRun(row, target, used, left_out=why) for target, used in pairs]
        else:
            row_plans = planner.plan_row(row, pairs)
            plans += row_plans
            runs += [_row_run(row, *pair, plan) for pair, plan in zip(pairs, row_plans, strict=True)]
    jobs = {job.path: job for plan in plans for job in plan.jobs}
    return Layout(table, tuple(runs), replace(plans[0], jobs=tuple(jobs.values())) if plans else None)


@dataclass(frozen=True)
class _Planner:
    """Plans the rows of one table; data sets and backbones are read once for all of them."""

    user_request: RunRequest
    datasets: dict[str, Dataset] = field(default_factory=dict)
    specs: dict[tuple[str | None, str | None], BackboneSpec] = field(default_factory=dict)

    def plan_row(self, row: PaperRow, pairs: Sequence[tuple[str, str]]) -> list[Plan]:
        """The plan of each pair of target and used data set of one row.

        Targets with the same auxiliary set and number of epochs share one plan.

        Raises:
            DataError: data are missing; the message names those of all targets.
        """
        keys = [replace(self._request(row, *pair), targets=("",)) for pair in pairs]
        plans: dict[RunRequest, Plan] = {}
        errors: list[str] = []
        for key in dict.fromkeys(keys):
            names = tuple(used for (_, used), other in zip(pairs, keys, strict=True) if other == key)
            try:
                plans[key] = make_plan(replace(key, targets=names), self.datasets)
            except DataError as failure:
                errors += str(failure).split(NEXT_ERROR)
        if errors:
            raise DataError(NEXT_ERROR.join(dict.fromkeys(errors)))
        return [plans[key] for key in keys]

    def _request(self, row: PaperRow, target: str, used: str) -> RunRequest:
        """The request of a row, with the paper's image size where the backbone has as many blocks as the paper's."""
        request = with_backbone(request_for(row, target, used, self.user_request), [used])
        key = (request.backbone, request.weights)
        if key not in self.specs:
            self.specs[key] = resolve(*key, offline=request.offline)
        own = image_size_for(row, self.specs[key].config)
        return replace(request, image_size=self.user_request.image_size or own)


def image_size_for(row: PaperRow, config: BackboneConfig) -> int:
    """The paper's image size on a backbone with as many blocks as the paper's, else the backbone's own."""
    as_deep = config.vision.layers == find_config(row.backbone).vision.layers
    return row.image_size if as_deep else config.vision.image_size


def request_for(row: PaperRow, target: str, used: str, user_request: RunRequest) -> RunRequest:
    """The request that reproduces one row on one target: the user's settings where given, else the paper's."""
    aux = auxiliary_for(row, target, used, user_request)
    as_printed = aux == row.aux_for(target)
    return replace(
        user_request,
        methods=(row.method,),
        targets=(used,),
        options=row.options,
        seeds=user_request.seeds or row.seeds,
        shots=(max(row.shots, 0),),  # -1, all normal images: such a row is left out
        support_seeds=row.support_seeds,
        aux=aux,
        epochs=user_request.epochs or (row.epochs_on(aux) if as_printed else None),
        protocol=row.protocol,
        backbone=user_request.backbone or (None if row.backbone == DEFAULT_BACKBONE else row.backbone),
        weights=user_request.weights or (None if user_request.backbone or row.weights == OPENAI else row.weights),
    )


def auxiliary_for(row: PaperRow, target: str, used: str, user_request: RunRequest) -> str:
    """The auxiliary set of a row on a target: the user's, else the paper's, else the default for the used data set."""
    printed = row.aux_for(target)
    if user_request.aux is None and (used == target or printed == NO_AUX):
        return printed
    return aux_for(used, user_request.aux)


def _row_run(row: PaperRow, target: str, used: str, plan: Plan) -> RowRun:
    jobs = tuple(job for job in plan.jobs if job.target.card.name == used or ":" in used)
    return RowRun(row, target, used, jobs, _changed(row, target, used, jobs[0]))


def _changed(row: PaperRow, target: str, used: str, job: Job) -> tuple[str, ...]:
    """The settings of a job that differ from the paper's, in words."""
    spec, cell, aux = job.setup.spec, job.cell, row.aux_for(target)
    pairs = [
        ("data set", used, target),
        ("backbone", spec.name, row.backbone),
        ("image size", job.setup.image_size, row.image_size),
    ]
    if job.setup.trains:
        pairs += [("auxiliary set", cell["aux"]["name"] if cell["aux"] else NO_AUX, aux)]
    if recipe := cell["recipe"]:
        pairs += [("epochs", recipe["epochs"], row.epochs_on(aux) or recipe["epochs"])]
    changed = [f"{name} {ours} in place of {theirs}" for name, ours, theirs in pairs if ours != theirs]
    changed += [] if _has_weights(spec, row.weights) else [f"weights {spec.weights.label} in place of {row.weights}"]
    changed += [f"the first {cell['limit']} images per label and class"] if cell["limit"] else []
    return tuple(changed)


def _has_weights(spec: BackboneSpec, tag: str) -> bool:
    """Whether the weights are those of a tag; OpenAI's also by the hash of the file."""
    weights = spec.weights
    known = OPENAI_FILES.get(spec.name, ("", ""))[0] if tag == OPENAI else None
    return (weights.kind == "tag" and weights.label == tag) or weights.sha256 == known
