"""Train the methods of `zsadbench train` and copy their checkpoints, without an evaluation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from zsadbench.checkpoints import write_checkpoint
from zsadbench.clip import Backbone
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import Detector, train_or_load
from zsadbench.engine.learn.loop import finite_state
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.plan.jobs import Job, make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.plan.settings import differing, setting_text
from zsadbench.engine.plan.sharing import co_trained_taps, tower_key
from zsadbench.errors import CellError, DataError, UsageError
from zsadbench.flags.out import check_out
from zsadbench.records import safe_name
from zsadbench.types import Trainable


def train_all(request: RunRequest, out: Path | None, *, fresh: bool = False) -> Iterator[dict[str, Any]]:
    """Train every method with every seed, and yield one event per checkpoint; a training that fails costs no other one.

    A method that learns from support images has a checkpoint per class and choice of these images.

    Args:
        request: its only target is the auxiliary set, or the set from which support images are drawn.
        out: folder for copies of the checkpoints; None leaves them in the cache.
        fresh: train even if the cache has the checkpoint.

    Raises:
        UsageError: a method does not train; and as `make_plan`.
        WeightsError, DataError: as `make_plan`.
        CellError: trainings failed; raised at the end, with the failures of all.
    """
    if out is not None:
        check_out(out)
    jobs = make_plan(request, records=False).jobs
    for job in jobs:
        if not job.setup.trains:
            raise UsageError(f"'{job.setup.name}' does not train; there is no checkpoint to make")
    failures: list[str] = []
    settings = map(setting_text, differing([job.setup.method for job in jobs]))
    towers: dict[tuple[Any, ...], Backbone] = {}
    for job, setting in zip(jobs, settings, strict=True):
        key = tower_key(job.setup)
        if key not in towers:  # most jobs use the same encoders; two pairs are never in memory together
            towers.clear()
            towers[key] = build_towers(job.setup, choose_device(request.device))
        for class_name in job.selected if job.setup.on_supports else ("",):
            try:
                with limited_threads():
                    names = class_name, setting
                    event = _train(job, jobs, towers[key], request, out, names=names, fresh=fresh)
            except (CellError, DataError, OSError) as failure:
                where = "/".join((job.target.card.name, *([class_name] if class_name else [])))
                of_setting = f", {setting}" if setting else ""
                failures.append(f"{job.setup.name} on {where}, seed {job.seed}{of_setting}: {failure}")
            else:
                yield event
    if failures:
        raise CellError("\nerror: ".join(failures))


def _train(
    job: Job,
    jobs: Sequence[Job],
    towers: Backbone,
    request: RunRequest,
    out: Path | None,
    *,
    names: tuple[str, str],
    fresh: bool,
) -> dict[str, Any]:
    """Train one method with one seed, or load its checkpoint from the cache; return the event of it.

    `names` are the class whose support images are learned from, empty for the auxiliary set, and the options in which
    the settings of the method differ, empty for one setting.
    """
    class_name, setting = names
    supports = job.supports if class_name else None
    detector = train_or_load(
        job.setup,
        towers,
        supports.of_class(class_name) if supports else job.aux,
        job.seed,
        workers=request.workers,
        image_cache=request.image_cache,
        token_cache=request.token_cache,
        co_trained=co_trained_taps(job, jobs),
        fresh=fresh,
    )
    name = f"{job.setup.name}-{job.target.card.name}-seed{job.seed}"
    of_class: dict[str, Any] = {}
    if supports:
        of_class = {"class": class_name, "shots": supports.shots, "support_seed": supports.seed}
        name += f"-{safe_name(class_name)}-shots{supports.shots}-supports{supports.seed}"
    name += f"-{safe_name(setting)}" if setting else ""
    path = _copy(detector, job, out / f"{name}.safetensors") if out is not None else detector.checkpoint
    if path is None:
        raise CellError("the checkpoint could not be written into the cache; pass --out to write it elsewhere")
    return {
        "event": "checkpoint",
        "method": job.setup.name,
        "aux": job.target.card.name,
        "seed": job.seed,
        **({"setting": setting} if setting else {}),
        **of_class,
        "path": str(path),
        "first_loss": detector.first_loss,
        "last_loss": detector.last_loss,
    }


def _copy(detector: Detector, job: Job, path: Path) -> Path:
    """Write the checkpoint of a detector to `path`, also one that the cache could not keep."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if detector.checkpoint is not None:
        return Path(shutil.copy2(detector.checkpoint, path))
    write_checkpoint(
        path, finite_state(job.setup.name, cast(Trainable, detector.method)), job.setup.name, detector.about
    )
    return path
