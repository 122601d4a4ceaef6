"""Find the ends of epochs among the steps of trainings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsadbench.engine.units.unit import Step


@dataclass
class EpochLosses:
    """The losses of the epochs that are under way, by job and class."""

    _losses: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, step: Step) -> tuple[int, float] | None:
        """Add a step; where it ends an epoch, return the number of epochs done and the mean loss of the last one."""
        per_epoch = step.total // step.epochs
        losses = self._losses[step.job, step.class_name]
        if step.done % per_epoch == 1 % per_epoch:
            losses.clear()  # a training that was interrupted begins again
        losses.append(step.loss)
        return None if step.done % per_epoch else (step.done // per_epoch, fsum(losses) / len(losses))
