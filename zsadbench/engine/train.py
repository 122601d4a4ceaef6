"""Train the methods of `zsadbench train` and copy their checkpoints, without an evaluation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zsadbench.clip import Backbone
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import train_or_load
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.plan.jobs import Job, make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.plan.sharing import co_trained_taps, tower_key
from zsadbench.errors import UsageError


def train_all(request: RunRequest, out: Path | None, *, fresh: bool = False) -> Iterator[dict[str, Any]]:
    """Train every method with every seed, and yield one event per checkpoint.

    Args:
        request: its only target is the auxiliary set.
        out: folder for copies of the checkpoints; None leaves them in the cache.
        fresh: train even if the cache has the checkpoint.

    Raises:
        UsageError: a method does not train; and as `make_plan`.
        WeightsError, DataError: as `make_plan`.
        CellError: a loss is not finite.
    """
    jobs = make_plan(request).jobs
    for job in jobs:
        if not job.setup.trains:
            raise UsageError(f"'{job.setup.name}' does not train; there is no checkpoint to make")
    towers: dict[tuple[Any, ...], Backbone] = {}
    for job in jobs:
        key = tower_key(job.setup)
        if key not in towers:  # most jobs use the same encoders; two pairs are never in memory together
            towers.clear()
            towers[key] = build_towers(job.setup, choose_device(request.device))
        with limited_threads():
            event = _train(job, jobs, towers[key], request, out, fresh=fresh)
        yield event


def _train(
    job: Job, jobs: Sequence[Job], towers: Backbone, request: RunRequest, out: Path | None, *, fresh: bool
) -> dict[str, Any]:
    """Train one method with one seed, or load its checkpoint from the cache; return the event of it."""
    detector = train_or_load(
        job.setup,
        towers,
        job.aux,
        job.seed,
        workers=request.workers,
        image_cache=request.image_cache,
        token_cache=request.token_cache,
        co_trained=co_trained_taps(job, jobs),
        fresh=fresh,
    )
    assert detector.checkpoint is not None  # noqa: S101 - a method that trains leaves a checkpoint
    path = detector.checkpoint
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = Path(shutil.copy2(path, out / f"{job.setup.name}-{job.target.card.name}-seed{job.seed}.safetensors"))
    return {
        "event": "checkpoint",
        "method": job.setup.name,
        "aux": job.target.card.name,
        "seed": job.seed,
        "path": str(path),
        "first_loss": detector.first_loss,
        "last_loss": detector.last_loss,
    }
