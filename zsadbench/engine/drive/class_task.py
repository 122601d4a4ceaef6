"""One class with the heads of some jobs: its shards, and their merge into the records of the jobs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from zsadbench.data import limited
from zsadbench.engine.evaluate.classes import keep_failure
from zsadbench.engine.plan.shards import Span, cut, whole_batches
from zsadbench.engine.record.facts import Facts
from zsadbench.engine.units.shard_files import ShardFiles, remove_all
from zsadbench.engine.units.unit import Score, Scored, ShardOfJob
from zsadbench.errors import CellError
from zsadbench.records import identity

if TYPE_CHECKING:
    from zsadbench.engine.evaluate.measure import ClassMeasurement
    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.record.recorder import JobRecorder

log = logging.getLogger(__name__)

UNFITTING = (ValueError, LookupError, TypeError)  # what a state raises that belongs to other settings


@dataclass
class Kept:
    """The failure of a block, see `keep_failure`."""

    failure: Exception | None = None


class ClassTask:
    """One class with the heads of some jobs.

    Shards that earlier runs have left are used, unless records are to be replaced.

    Args:
        plan: of the run.
        recorders: of the jobs.
        group: identities of all jobs that share the encoding.
        class_name: the class.
        shard: the most images of a new shard, in whole batches.
    """

    def __init__(
        self, plan: Plan, recorders: Sequence[JobRecorder], group: tuple[str, ...], class_name: str, shard: int
    ) -> None:
        self.plan, self.group, self.class_name, self.recorders = plan, group, class_name, tuple(recorders)
        self.open = {identity(recorder.job.cell): recorder for recorder in recorders}  # those that are not done
        job, batch_size = recorders[0].job, recorders[0].batch_size
        self.rows = limited(job.target.manifest, class_name, job.setup.limit)
        files = [self._files(recorder, batch_size) for recorder in recorders]
        replace_all = plan.request.overwrite == "always"
        done = set() if replace_all else set.intersection(*(set(of_job.there()) for of_job in files))
        if any(recorder.job.scores_whole_class for recorder in recorders):  # such a class has one shard
            shard, done = whole_batches(len(self.rows), batch_size), done & {(0, len(self.rows))}
        spans = cut(len(self.rows), shard, batch_size, done)
        self.batch_sizes = dict.fromkeys(spans, batch_size)  # of every shard
        self.todo = deque(span for span in spans if span not in done)
        self.flying: set[Score] = set()
        self.lost: set[Span] = set()  # whose files could not be read back
        self._objects: dict[str, ShardOfJob] = {}  # of the whole class, by job

    @property
    def images(self) -> int:
        """The number of images that are left to score."""
        return sum(stop - start for start, stop in self.todo)

    def next_unit(self) -> Score | None:
        """Return the next unit, None if all are under way."""
        if not self.todo:
            return None
        span = self.todo.popleft()
        batch_size = self.batch_sizes[span]
        unit = Score(tuple(self.open), self.group, self.class_name, *span, len(self.rows), batch_size)
        self.flying.add(unit)
        return unit

    def take(self, unit: Score, outcome: Scored) -> Iterator[tuple[JobRecorder, int | Exception]]:
        """Take the outcome of a unit, and yield for each of its jobs the images that are kept now, or the failure."""
        span = (unit.start, unit.stop)
        self.flying.discard(unit)
        self.batch_sizes[span] = unit.batch_size
        for key, shard in zip(unit.jobs, outcome.shards, strict=True):
            recorder = self.open.get(key)
            if recorder is None:
                continue
            kept = Kept(shard.failure)
            with keep_failure(kept):
                if shard.content is not None:
                    self._files(recorder, unit.batch_size).keep(span, shard.content)
            if kept.failure is not None:
                del self.open[key]
                yield recorder, kept.failure
                continue
            if shard.measurement is not None:
                self._objects[key] = shard
            yield recorder, span[1] - span[0]
        if not self.open:
            self.todo.clear()

    def finish(self) -> Iterator[tuple[JobRecorder, Exception | None]]:
        """Write the class into the record of each job, once all shards are there, and yield what failed.

        A shard that cannot be read back is to be scored again, once.
        """
        for key, recorder in list(self.open.items()):
            kept = Kept()
            with keep_failure(kept):
                start, (measurement, facts, absent) = perf_counter(), self._merged(key, recorder)
                if absent:
                    if self.lost & absent:
                        raise CellError(f"shards of it in '{recorder.job.path.with_suffix('.shards')}' get lost")
                    self.lost |= absent
                    self.todo += [span for span in sorted(absent) if span not in self.todo]
                    continue
                metrics = facts.seconds["metrics"] + perf_counter() - start
                facts = replace(facts, seconds={**facts.seconds, "metrics": metrics})
                recorder.add_class(self.class_name, measurement, facts, shared=len(self.recorders) > 1)
                self._files(recorder, 1).remove()
                if recorder.record.complete:
                    remove_all(recorder.job)
            del self.open[key]
            yield recorder, kept.failure

    def _files(self, recorder: JobRecorder, batch_size: int) -> ShardFiles:
        return ShardFiles(self.plan, recorder.job, self.class_name, len(self.rows), batch_size)

    def _merged(self, key: str, recorder: JobRecorder) -> tuple[ClassMeasurement, Facts, set[Span]]:
        """Merge the shards of one job in order, one at a time in memory; return also those that are absent."""
        whole = self._objects.pop(key, None)
        if whole is not None and whole.measurement is not None and whole.facts is not None:
            return whole.measurement, whole.facts, set()
        measurement, total, absent = recorder.measurement(self.rows), Facts({"metrics": 0.0}, {}, {}, None, None), set()
        for span, batch_size in self.batch_sizes.items():
            shard = self._files(recorder, batch_size).read(span)
            if shard is None:
                absent.add(span)
                continue
            facts, state = shard
            try:
                measurement.add_state(state)
            except UNFITTING as failure:
                log.warning("%s: a shard of it does not fit and is scored again: %s", self.class_name, failure)
                absent.add(span)
            total = total.plus(facts)
        return measurement, total, absent
