"""Who receives the progress of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.record.facts import Preparation
    from zsadbench.records import Record


class Reporter(Protocol):
    """Receives the progress of a run; every method may do nothing."""

    def start(self, plan: Plan) -> None:
        """The plan is made."""

    def training(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:
        """One optimiser step is done, of a training on the support images of a class if there is one."""

    def trained(self, job: Job, preparation: Preparation) -> None:
        """The detector is ready: trained or loaded."""

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """A class begins, of which `total` images are left to score."""

    def images(self, count: int) -> None:
        """`count` more images are scored."""

    def kept(self, job: Job, class_name: str, count: int) -> None:
        """`count` images of a class are scored and kept, also if the run is interrupted from now on."""

    def evaluated(self, job: Job, class_name: str) -> None:
        """A class is done, or has failed."""

    def record(self, job: Job, record: Record) -> None:
        """A record is finished, as far as this run completes it."""

    def failed(self, job: Job, where: str, failure: str) -> None:
        """A class, or a whole job, failed."""


class Silent:
    """A reporter that does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None
