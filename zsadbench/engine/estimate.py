"""How long a run will take on a CPU, said before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.clip.macs import image_macs
from zsadbench.data import limited
from zsadbench.engine.encode.token_cache import entry_bytes
from zsadbench.engine.plan.cell import checkpoint_path
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.plan.sharing import group_jobs, learning_key

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.plan.method_setup import MethodSetup

HEAD_SHARE = 0.4  # what a head costs beside the tower, for one image
STEP_SHARE = 1.5  # and what learning from one costs, forth and back
EFFICIENCY = 0.5  # of what a large matrix product reaches


def seconds_for(scored: float, learned: float) -> float:
    """A rough duration on this CPU of runs that share nothing.

    Args:
        scored: multiply-accumulates of the image tower over all images that are scored.
        learned: the same over all images that are learned from, epoch by epoch.
    """
    return _seconds((1 + HEAD_SHARE) * scored + (1 + STEP_SHARE) * learned)


def estimate_seconds(plan: Plan) -> float:
    """A rough duration on this CPU, from the arithmetic of the jobs and the speed of one matrix product.

    Jobs that share an encoding pay for the tower once, and so do trainings on the same tokens where these fit into
    the token cache; a checkpoint that is cached already costs nothing.
    """
    todo = [job for job in plan.jobs if job.todo]
    scored = sum(_scoring(group) for group in group_jobs(todo))
    learned = _learning(todo, plan.request.token_cache)
    return _seconds(scored + learned)


def _scoring(group: Sequence[Job]) -> float:
    """Multiply-accumulates of jobs that share an encoding: every class once through the tower, and each head's."""
    first = group[0]
    wanted = dict.fromkeys(name for job in group for name in job.todo)
    heads = sum(_images(job, job.todo) for job in group)
    return _tower(first.setup) * (_images(first, wanted) + HEAD_SHARE * heads)


def _learning(jobs: Sequence[Job], room: int) -> float:
    """Multiply-accumulates of all trainings: their steps, and what has to be encoded for them."""
    trainings = {checkpoint_path(job.setup, job.aux, job.seed): job for job in jobs if job.aux is not None}
    pending = [job for path, job in trainings.items() if not path.is_file()]
    steps = sum(_tower(job.setup) * STEP_SHARE * _steps(job) for job in pending)
    together: dict[Any, list[Job]] = {}
    for job in pending:
        together.setdefault(learning_key(job), []).append(job)
    return steps + sum(_tower(group[0].setup) * _encoded(group, room) for group in together.values())


def _encoded(group: Sequence[Job], room: int) -> int:
    """How often trainings on the same tokens run the tower: once an image that is remembered, else in every epoch."""
    aux, taps = group[0].aux, {taps_of(job.setup) for job in group}
    assert aux is not None  # noqa: S101 - they learn
    count = len(aux.manifest)
    kept = {block for one in taps for block in (*one.blocks, *(-block for block in one.value_blocks))}
    augments = group[0].setup.method.card.augments
    fits = 0 if augments or not kept else min(count, room // (len(kept) * entry_bytes(group[0].setup)))
    return fits + sum(_steps(job) * (count - fits) // count for job in group)


def _tower(setup: MethodSetup) -> float:
    return image_macs(setup.spec.config.vision, setup.image_size)


def _images(job: Job, names: Iterable[str]) -> int:
    return sum(len(limited(job.target.manifest, name, job.setup.limit)) for name in names)


def _steps(job: Job) -> int:
    """Images that a training sees, epoch by epoch."""
    assert job.aux is not None  # noqa: S101 - it learns
    return job.setup.epochs_on(job.aux.card.name) * len(job.aux.manifest)


def _seconds(macs: float) -> float:
    return macs / (EFFICIENCY * _macs_per_second())


def _macs_per_second(size: int = 768, rounds: int = 3) -> float:
    matrix = torch.rand(size, size)
    matrix @ matrix  # the first product pays for starting threads
    start = perf_counter()
    for _ in range(rounds):
        matrix @ matrix
    return float(rounds * size**3 / (perf_counter() - start))
