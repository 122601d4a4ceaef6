"""The trainings of a job whose method learns from the support images, class by class (`Recipe.on_supports`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zsadbench.engine.plan.cell import checkpoint_path
from zsadbench.engine.plan.method_setup import earlier_stage

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset
    from zsadbench.engine.plan.jobs import Job
    from zsadbench.engine.plan.method_setup import MethodSetup


@dataclass(frozen=True)
class ClassTraining:
    """One stage of the training of one class: its setup, the support images, and its checkpoint in the cache."""

    class_name: str
    setup: MethodSetup
    images: Dataset
    checkpoint: Path

    @property
    def stage(self) -> str:
        """The name of the stage; empty where the training has only one."""
        recipe = self.setup.method.recipe
        return recipe.stage if recipe else ""

    @property
    def done(self) -> bool:
        """Whether the cache has the checkpoint."""
        return self.checkpoint.is_file()

    @property
    def steps(self) -> int:
        """The number of its optimiser steps."""
        recipe = self.setup.method.recipe
        per_epoch = -(-len(self.images.manifest) // recipe.batch) if recipe else 0
        return self.setup.epochs_on("") * per_epoch


def class_trainings(job: Job, classes: Sequence[str]) -> list[ClassTraining]:
    """List the trainings that these classes of a job need, in their order; empty where a job has none."""
    if job.supports is None or not job.setup.on_supports:
        return []
    images = {name: job.supports.of_class(name) for name in classes}
    return [training for name in classes for training in _stages(job.setup, name, images[name], job.seed)]


def _stages(setup: MethodSetup, class_name: str, images: Dataset, seed: int) -> Iterator[ClassTraining]:
    earlier = earlier_stage(setup)
    if earlier is not None:
        yield from _stages(earlier, class_name, images, seed)
    yield ClassTraining(class_name, setup, images, checkpoint_path(setup, images, seed))
