"""`zsadbench train`: the checkpoints of a request, one after another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zsadbench.clip import Backbone
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import obtain
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.machine.threads import with_sane_threads
from zsadbench.engine.plan.jobs import Job, make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.plan.sharing import co_trained_taps, tower_key
from zsadbench.errors import UsageError


def train_all(request: RunRequest, out: Path | None, *, fresh: bool = False) -> Iterator[dict[str, Any]]:
    """Train every method and seed of a request whose only target is its auxiliary set; yield an event each.

    Raises:
        UsageError: a method does not train, and all that `make_plan` raises.
    """
    jobs = make_plan(request).jobs
    for job in jobs:
        if not job.setup.trains:
            raise UsageError(f"'{job.setup.name}' does not train; there is no checkpoint to make")
    built: dict[tuple[Any, ...], Backbone] = {}
    for job in jobs:
        key = tower_key(job.setup)
        if key not in built:  # most jobs take the same towers; two pairs of them are never held
            built.clear()
            built[key] = build_towers(job.setup, choose_device(request.device))
        with with_sane_threads():
            done = _train(job, jobs, built[key], request, out, fresh=fresh)
        yield done


def _train(
    job: Job, jobs: Sequence[Job], towers: Backbone, request: RunRequest, out: Path | None, *, fresh: bool
) -> dict[str, Any]:
    trained = obtain(
        job.setup,
        towers,
        job.aux,
        job.seed,
        workers=request.workers,
        image_cache=request.image_cache,
        token_cache=request.token_cache,
        also=co_trained_taps(job, jobs),
        fresh=fresh,
    )
    assert trained.checkpoint is not None  # noqa: S101 - a method that trains leaves a checkpoint
    path = trained.checkpoint
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = Path(shutil.copy2(path, out / f"{job.setup.name}-{job.target.card.name}-seed{job.seed}.safetensors"))
    return {
        "event": "checkpoint",
        "method": job.setup.name,
        "aux": job.target.card.name,
        "seed": job.seed,
        "path": str(path),
        "first_loss": trained.first_loss,
        "last_loss": trained.last_loss,
    }
