"""Estimate how long a run will take on a CPU, before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.data import limited
from zsadbench.engine.encode.token_cache import entry_bytes
from zsadbench.engine.learn.mosaics import MOSAIC_SHARE
from zsadbench.engine.plan.cell import checkpoint_path
from zsadbench.engine.plan.class_trainings import class_trainings
from zsadbench.engine.plan.method_setup import earlier_stage, taps_of
from zsadbench.engine.plan.shards import tower_macs
from zsadbench.engine.plan.sharing import group_jobs, learning_key

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.plan.method_setup import MethodSetup

HEAD_SHARE = 0.4  # cost of scoring an image after the image encoder, relative to encoding it
OWN_STEP_SHARE = 2.0  # the same for a method that encodes images itself: backward through the encoder
STEP_SHARE = 1.5  # cost of learning from an image (forward and backward) after the image encoder, likewise
EFFICIENCY = 0.5  # speed of a run relative to that of a large matrix product


def seconds_for(scored: float, learned: float) -> float:
    """Estimate the seconds on this CPU of runs that share nothing.

    Args:
        scored: multiply-accumulates of the image encoder over all test images.
        learned: multiply-accumulates of the image encoder over all training images, once per epoch.
    """
    return _seconds((1 + HEAD_SHARE) * scored + (1 + STEP_SHARE) * learned)


def estimate_seconds(plan: Plan) -> float:
    """Estimate the seconds of a plan on this CPU, from its multiply-accumulates and the speed of one matrix product.

    A shared encoding counts once, and so does the encoding for trainings on the same tokens, as far as these fit into
    the token cache. A cached checkpoint costs nothing.
    """
    todo = [job for job in plan.jobs if job.todo]
    scored = sum(_scoring_macs(group) for group in group_jobs(todo))
    return _seconds(scored + _learning_macs(todo, plan.request.token_cache) + _class_learning_macs(todo))


def _scoring_macs(group: Sequence[Job]) -> float:
    """Count multiply-accumulates of jobs that share an encoding: one encoding per class, and the head of each job."""
    first = group[0]
    classes = dict.fromkeys(name for job in group for name in job.todo)
    head_images = sum(_count_images(job, job.todo) for job in group)
    return tower_macs(first.setup) * (_count_images(first, classes) + HEAD_SHARE * head_images)


def _learning_macs(jobs: Sequence[Job], cache_bytes: int) -> float:
    """Count multiply-accumulates of all trainings: the encoding of their images, and their steps."""
    trainings = {checkpoint_path(job.setup, job.aux, job.seed): job for job in jobs if job.aux is not None}
    todo = [job for path, job in trainings.items() if not path.is_file()]
    pending = [stage for job in todo for stage in _stages(job)]
    steps = sum(tower_macs(job.setup) * _step_share(job.setup) * _count_learned(job) for job in pending)
    same_tokens: dict[Any, list[Job]] = {}
    for job in pending:
        same_tokens.setdefault(learning_key(job), []).append(job)
    return steps + sum(
        tower_macs(group[0].setup) * _count_encoded(group, cache_bytes) for group in same_tokens.values()
    )


def _class_learning_macs(jobs: Sequence[Job]) -> float:
    """Count multiply-accumulates of all trainings on support images that have no checkpoint."""
    trainings = {training.checkpoint: training for job in jobs for training in class_trainings(job, job.todo)}
    todo = [training for training in trainings.values() if not training.done]
    images = sum(training.setup.epochs_on("") * len(training.images.manifest) for training in todo)
    return images * tower_macs(todo[0].setup) * _step_share(todo[0].setup) if todo else 0.0


def _stages(job: Job) -> list[Job]:
    """Return a job once for each stage of its training that has no checkpoint, with the setup of the stage."""
    earlier = earlier_stage(job.setup)
    if earlier is None or job.aux is None or checkpoint_path(earlier, job.aux, job.seed).is_file():
        return [job]
    return [*_stages(replace(job, setup=earlier)), job]


def _count_encoded(group: Sequence[Job], cache_bytes: int) -> int:
    """Count the images that trainings on the same tokens encode: cached ones once, others in every epoch."""
    setup, aux, taps = group[0].setup, group[0].aux, {taps_of(job.setup) for job in group}
    assert aux is not None  # noqa: S101 - only called where jobs train
    count = len(aux.manifest)
    blocks = {block for tap in taps for block in (*tap.blocks, *(-block for block in tap.value_blocks))}
    cached = 0
    if blocks and not setup.method.card.augments and not taps_of(setup).own_encoding:
        cached = min(count, cache_bytes // (len(blocks) * entry_bytes(setup)))
    uncached = [count - cached + cached * _mosaic_share(job) for job in group]
    return cached + sum(int(_count_learned(job) * each / count) for job, each in zip(group, uncached, strict=True))


def _mosaic_share(job: Job) -> float:
    """Return the share of training images that mosaics replace."""
    assert job.aux is not None  # noqa: S101 - only called where the job trains
    return MOSAIC_SHARE if job.setup.method.recipe_on(job.aux.card.name).mosaic != "none" else 0.0


def _step_share(setup: MethodSetup) -> float:
    return OWN_STEP_SHARE if taps_of(setup).own_encoding else STEP_SHARE


def _count_images(job: Job, classes: Iterable[str]) -> int:
    return sum(len(limited(job.target.manifest, name, job.setup.limit)) for name in classes)


def _count_learned(job: Job) -> int:
    """Count the images of a training, once per epoch."""
    assert job.aux is not None  # noqa: S101 - only called where the job trains
    return job.setup.epochs_on(job.aux.card.name) * len(job.aux.manifest)


def _seconds(macs: float) -> float:
    return macs / (EFFICIENCY * _macs_per_second())


def _macs_per_second(size: int = 768, rounds: int = 3) -> float:
    """Measure the speed of the product of two square matrices."""
    matrix = torch.rand(size, size)
    matrix @ matrix  # the first product also starts the threads
    start = perf_counter()
    for _ in range(rounds):
        matrix @ matrix
    return float(rounds * size**3 / (perf_counter() - start))
