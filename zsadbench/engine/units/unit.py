"""Units of work and their outcomes: plain values that one process can send to another.

A run is a graph of units: the jobs that share an encoding are prepared, one unit each; then their classes are scored,
one unit for each shard of a class and as many heads as fit into memory. Jobs are named by the identity of their record.
What is left, merging the shards of a class and writing records, is done by the process that drives the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsadbench.engine.evaluate.measure import ClassMeasurement
    from zsadbench.engine.record.facts import Facts, Preparation


@dataclass(frozen=True)
class Prepare:
    """Train or load the detector of `job`; `group` are the jobs that share its encoding, itself included.

    `moved` says that a worker which had this unit went out of reach.
    """

    job: str
    group: tuple[str, ...]
    attempt: int = 0
    moved: bool = False

    def elsewhere(self) -> tuple[Prepare]:
        """Return the same unit for another worker."""
        return (replace(self, moved=True),)

    def again(self) -> tuple[Prepare]:
        """Return the second attempt."""
        return (replace(self, attempt=self.attempt + 1),)

    def failed(self, failure: Exception) -> Prepared:
        """Return the outcome of this unit if it failed as a whole."""
        return Prepared(failure, trained=False)


@dataclass(frozen=True)
class Score:
    """Score the rows from `start` to `stop` of the `count` rows of a class, with the heads of `jobs`.

    `group` are the jobs that share the encoding, and `batch_size` the images of a batch. `moved` says that a worker
    which had this unit went out of reach.
    """

    jobs: tuple[str, ...]
    group: tuple[str, ...]
    class_name: str
    start: int
    stop: int
    count: int
    batch_size: int
    attempt: int = 0
    moved: bool = False

    @property
    def whole(self) -> bool:
        """Whether this is the whole class."""
        return self.stop - self.start == self.count

    def elsewhere(self) -> tuple[Score]:
        """Return the same unit for another worker."""
        return (replace(self, moved=True),)

    def again(self) -> tuple[Score, ...]:
        """Return the second attempt: every job alone, so that it costs no other one, and half the batch size."""
        half = max(1, self.batch_size // 2)
        return tuple(replace(self, jobs=(job,), attempt=self.attempt + 1, batch_size=half) for job in self.jobs)

    def failed(self, failure: Exception) -> Scored:
        """Return the outcome of this unit if it failed as a whole."""
        return Scored(tuple(ShardOfJob(failure=failure) for _ in self.jobs))


Unit = Prepare | Score


@dataclass(frozen=True)
class Prepared:
    """The outcome of `Prepare`: the failure, or what is known of the job, and the batch size of its group here.

    `trained` says whether the failure is that of the detector, and not of the encoders.
    """

    failure: Exception | None
    preparation: Preparation | None = None
    batch_size: int = 1
    trained: bool = True


@dataclass(frozen=True)
class ShardOfJob:
    """What one job has made of a shard: its failure, or facts with the measurement.

    `measurement` is the object itself where no other process is concerned and the shard is the whole class, else None:
    then `content` is that of the file of the shard, and None if the file is written.
    """

    failure: Exception | None = None
    facts: Facts | None = None
    measurement: ClassMeasurement | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Scored:
    """The outcome of `Score`, one entry for each of its jobs."""

    shards: tuple[ShardOfJob, ...]


@dataclass(frozen=True)
class Lost:
    """The outcome of a unit whose worker is gone: why, and whether a second attempt may help.

    `out_of_reach` says that the machine of the worker is gone or cannot be reached: the unit is not to blame.
    """

    reason: str
    again: bool
    out_of_reach: bool = False


Outcome = Prepared | Scored | Lost


@dataclass(frozen=True)
class Images:
    """An event: some more images are scored."""

    count: int


@dataclass(frozen=True)
class Step:
    """An event: an optimiser step of the training of a job is done, on support images of a class if it has a name.

    It is the `done`-th of the `total` steps in `epochs` epochs.
    """

    job: str
    done: int
    total: int
    loss: float
    epochs: int
    class_name: str = ""


Event = Images | Step
