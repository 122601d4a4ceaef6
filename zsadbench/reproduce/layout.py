"""From a paper's table and what the user changes to jobs: the plan of `run`, row by row, in one piece.

A row may run with something in place of what the paper used: another data set, the demo backbone, fewer images. Every
such substitution is found on the planned job itself, whatever flag or variable it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zsadbench.clip import BackboneSpec, resolve
from zsadbench.clip.resolve import DEFAULT_BACKBONE
from zsadbench.clip.weights import OPENAI_FILES
from zsadbench.compare.paper_rows import why_left_out
from zsadbench.data import find_card
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.plan.checks import aux_for, check_out, with_backbone
from zsadbench.engine.plan.jobs import Job, Plan, make_plan
from zsadbench.engine.plan.request import NO_AUX
from zsadbench.errors import DataError, UsageError

if TYPE_CHECKING:
    from zsadbench.compare.paper_rows import PaperRow, PaperTable
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.request import RunRequest

APART = "\nerror: "  # between the faults of several data sets


@dataclass(frozen=True)
class Place:
    """One row on one of the table's targets. `used` is the data set in its place, or itself.

    `jobs` make the row's numbers there; without any, `left_out` says why. `changed` names what stands in place of
    the paper's settings.
    """

    row: PaperRow
    target: str
    used: str
    jobs: tuple[Job, ...] = ()
    changed: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True)
class Layout:
    """A table with everything that makes it again. `plan` is None where no row can be run."""

    table: PaperTable
    places: tuple[Place, ...]
    plan: Plan | None


def columns(table: PaperTable, asked: Sequence[str]) -> list[tuple[str, str]]:
    """Each target of the table that is wanted, and the data set that is used for it.

    Targets of the table narrow it down; one other data set stands in place of all of them.

    Raises:
        UsageError: no such data set, several others, or others beside the table's own.
        DataError: one's own images cannot be read.
    """
    names = [name if ":" in name else find_card(name).name for name in asked]
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


def lay_out(table: PaperTable, asked: RunRequest) -> Layout:
    """Check everything that a table needs and lay out its jobs, without running any.

    Args:
        table: the table.
        asked: what the user changes; its methods and protocol are passed over, its targets are as `columns` has them.

    Raises:
        UsageError, WeightsError, DataError: as `zsadbench.engine.plan.jobs.make_plan`.
    """
    choose_device(asked.device)
    check_out(asked.out)
    wanted = columns(table, asked.targets)
    desk = _Desk(asked)
    places: list[Place] = []
    plans: list[Plan] = []
    for row in table.rows:
        if why := why_left_out(row):
            places += [Place(row, target, used, left_out=why) for target, used in wanted]
        else:
            found = desk.plan_row(row, wanted)
            plans += found
            places += [_place(row, *pair, plan) for pair, plan in zip(wanted, found, strict=True)]
    jobs = {job.path: job for plan in plans for job in plan.jobs}
    return Layout(table, tuple(places), replace(plans[0], jobs=tuple(jobs.values())) if plans else None)


@dataclass(frozen=True)
class _Desk:
    """What the rows of one table share while they are planned: data sets and backbones, read once."""

    asked: RunRequest
    shelf: dict[str, Dataset] = field(default_factory=dict)
    specs: dict[tuple[str | None, str | None], BackboneSpec] = field(default_factory=dict)

    def plan_row(self, row: PaperRow, wanted: Sequence[tuple[str, str]]) -> list[Plan]:
        """The plan that each target of one row is in; what is missing of the data is said of all together.

        One plan serves all targets on which the row learns from one set for as many epochs.
        """
        keys = [replace(self._request(row, *pair), targets=("",)) for pair in wanted]
        plans: dict[RunRequest, Plan] = {}
        faults: list[str] = []
        for key in dict.fromkeys(keys):
            names = tuple(used for (_, used), other in zip(wanted, keys, strict=True) if other == key)
            try:
                plans[key] = make_plan(replace(key, targets=names), self.shelf)
            except DataError as failure:
                faults += str(failure).split(APART)
        if faults:
            raise DataError(APART.join(dict.fromkeys(faults)))
        return [plans[key] for key in keys]

    def _request(self, row: PaperRow, target: str, used: str) -> RunRequest:
        """The request, at the paper's image size where the backbone is as deep as the paper's."""
        request = with_backbone(request_for(row, target, used, self.asked), [used])
        key = (request.backbone, request.weights)
        if key not in self.specs:
            self.specs[key] = resolve(*key, offline=request.offline)
        return replace(request, image_size=self.asked.image_size or self.specs[key].image_size(row.image_size))


def request_for(row: PaperRow, target: str, used: str, asked: RunRequest) -> RunRequest:
    """The request that makes one row on one target: the paper's settings, and the user's where they were given."""
    aux = learned_from(row, target, used, asked)
    as_printed = aux == row.aux_for(target)
    return replace(
        asked,
        methods=(row.method,),
        targets=(used,),
        options=row.options,
        seeds=asked.seeds or row.seeds,
        shots=(max(row.shots, 0),),  # every normal image is no number; such a row is left out
        support_seeds=row.support_seeds,
        aux=aux,
        epochs=asked.epochs or (row.epochs_on(aux) if as_printed else None),
        protocol=row.protocol,
        backbone=asked.backbone or (None if row.backbone == DEFAULT_BACKBONE else row.backbone),
    )


def learned_from(row: PaperRow, target: str, used: str, asked: RunRequest) -> str:
    """The auxiliary set of a row on a target: the user's, the paper's, or that of what stands for the target."""
    printed = row.aux_for(target)
    if asked.aux is None and (used == target or printed == NO_AUX):
        return printed
    return aux_for(used, asked.aux)


def _place(row: PaperRow, target: str, used: str, plan: Plan) -> Place:
    own = tuple(job for job in plan.jobs if job.target.card.name == used or ":" in used)
    return Place(row, target, used, own, _changed(row, target, used, own[0]))


def _changed(row: PaperRow, target: str, used: str, job: Job) -> tuple[str, ...]:
    """What stands in place of the paper's settings, in words."""
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
    found = [f"{name} {ours} in place of {theirs}" for name, ours, theirs in pairs if ours != theirs]
    found += [] if _published(spec) else [f"weights {spec.weights.label} in place of {row.weights}"]
    found += [f"the first {cell['limit']} images a label and class"] if cell["limit"] else []
    return tuple(found)


def _published(spec: BackboneSpec) -> bool:
    """Whether the weights are those that OpenAI published, by tag or by the hash of the file."""
    weights = spec.weights
    known = OPENAI_FILES.get(spec.name, ("", ""))[0]
    return (weights.kind == "tag" and weights.label == "openai") or weights.sha256 == known
