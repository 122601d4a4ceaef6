"""How long a run will take on a CPU, said before it starts."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import torch

from zsadbench.engine.evaluate import limited

if TYPE_CHECKING:
    from zsadbench.engine.cells import Setting
    from zsadbench.engine.plan import Job, Plan

HEAD_SHARE = 1.4  # a whole image costs about this many times its tower
STEP_SHARE = 2.5  # and a training step about this many times its image
EFFICIENCY = 0.5  # of what a large matrix product reaches


def tower_macs(setting: Setting) -> float:
    """Multiply-accumulates of the image tower for one image: linear layers and attention products."""
    vision = setting.spec.config.vision
    tokens = (setting.image_size // vision.patch_size) ** 2 + 1
    return vision.layers * tokens * vision.width * (12 * vision.width + 2 * tokens)


def estimate_seconds(plan: Plan) -> float:
    """A rough duration on this CPU, from the arithmetic of the jobs and the speed of one matrix product."""
    todo = [job for job in plan.jobs if job.todo]
    scored = sum(tower_macs(job.setting) * _images(job) for job in todo) * HEAD_SHARE
    learned = {_training_key(job): tower_macs(job.setting) * _steps(job) for job in todo}
    return (scored + STEP_SHARE * sum(learned.values())) / (EFFICIENCY * _macs_per_second())


def _images(job: Job) -> int:
    return sum(len(limited(job.target.manifest, name, job.setting.limit)) for name in job.todo)


def _steps(job: Job) -> int:
    """Images that training sees; a training that several jobs share is counted once, by its key."""
    if job.aux is None:
        return 0
    return job.setting.epochs_on(job.aux.card.name) * len(job.aux.manifest)


def _training_key(job: Job) -> tuple[str, str, int]:
    return (job.setting.name, job.aux.card.name if job.aux else "", job.seed)


def _macs_per_second(size: int = 768, rounds: int = 3) -> float:
    matrix = torch.rand(size, size)
    matrix @ matrix  # the first product pays for starting threads
    start = perf_counter()
    for _ in range(rounds):
        matrix @ matrix
    return float(rounds * size**3 / (perf_counter() - start))
