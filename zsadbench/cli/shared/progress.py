"""Progress of a run on stderr: nested bars on a terminal, a line a step elsewhere; records as JSON on stdout."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.common import PROGRESS, say_json, tell
from zsadbench.printing import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID

    from zsadbench.engine.learn.detector import Detector
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.records import Record


def record_event(path: Path, record: Record) -> dict[str, Any]:
    """What `--json` prints for a record."""
    content = record.as_json()
    picked = {key: content[key] for key in ("mean", "classes", "cost", "signature")}
    if content["ledger"].get("leak"):
        picked["leak"] = content["ledger"]["grade"]
    cell = record.cell
    named = {"method": cell["method"], "target": cell["target"]["name"], "seed": cell["seed"]}
    return {"event": "record", "path": str(path), **named, **picked}


class Progress:
    """A reporter for `run_plan`; with `json` it prints an event for every record."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.json, self.quiet = json, quiet
        self.log = logging.getLogger(PROGRESS)
        self.bars = self._bars() if not quiet and sys.stderr.isatty() else None
        self.classes: TaskID | None = None
        self.inner: TaskID | None = None
        self.label = ""

    @staticmethod
    def _bars() -> Bars:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        class Speed(ProgressColumn):
            """`12.3 images/s`, as soon as it can be told, and what else there is to say."""

            def render(self, task: Task) -> Text:
                speed = "" if task.speed is None else f"{task.speed:.1f} {task.fields['unit']}/s"
                return Text(" ".join(part for part in (speed, task.fields["note"]) if part))

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        return Bars(*columns, Speed(), console=Console(stderr=True), transient=True)

    def __enter__(self) -> Progress:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars:
            self.bars.stop()

    def start(self, plan: Plan) -> None:
        """Show all classes that are to do."""
        total = sum(len(job.todo) for job in plan.jobs)
        if self.bars:
            self.classes = self.bars.add_task("classes", total=total, unit="classes", note="")
        self._say(f"records: {len(plan.jobs)}; classes to do: {total}")

    def training(self, job: Job, done: int, total: int, loss: float) -> None:
        """Advance the training bar; elsewhere say the first, the last and ten steps between."""
        label = f"training {job.setup.name}, seed {job.seed}"
        if self.bars:
            self._inner(label, total, done, "steps", f"loss {loss:.4f}")
        elif done in {1, total} or done % max(1, total // 10) == 0:
            self._say(f"{label}: step {done} of {total}, loss {loss:.4f}")

    def trained(self, job: Job, detector: Detector) -> None:
        """Say where the parameters come from."""
        if detector.checkpoint is not None:
            how = "trained" if detector.first_loss is not None else "loaded"
            self._say(f"{job.setup.name}, seed {job.seed}: {how}, checkpoint {detector.checkpoint}")

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """Begin the bar of a class."""
        label = f"{job.setup.name} on {job.target.card.name}/{class_name}"
        if self.bars:
            self._inner(label, total, 0, "images")
        else:
            self._say(f"{label}: {total} images")

    def evaluated(self, job: Job, class_name: str) -> None:
        """Advance the bar of all classes."""
        if self.bars and self.classes is not None:
            self.bars.advance(self.classes)

    def images(self, count: int) -> None:
        """Advance the bar of the class."""
        if self.bars and self.inner is not None:
            self.bars.advance(self.inner, count)

    def record(self, job: Job, record: Record) -> None:
        """Print a record's event, or say where it lies."""
        if not self.json:
            self._say(f"record {job.path}")
            return
        few_shot = {"shots": job.supports.shots, "support_seed": job.supports.seed} if job.supports else {}
        say_json(record_event(job.path, record) | few_shot)

    def failed(self, job: Job, where: str, failure: str) -> None:
        """Say what failed, whatever else is quiet."""
        self.log.info("failed: %s", failure)
        tell(f"error: {failure}")

    def _inner(self, label: str, total: int, done: int, unit: str, note: str = "") -> None:
        """Show `done` of `total`; a new label begins the bar and its speed anew."""
        assert self.bars is not None  # noqa: S101 - only called with bars
        if self.inner is None or label != self.label:
            if self.inner is not None:
                self.bars.remove_task(self.inner)
            self.inner, self.label = self.bars.add_task(one_line(label), total=total, unit=unit, note=note), label
        self.bars.update(self.inner, completed=done, note=note)

    def _say(self, text: str) -> None:
        self.log.info(text)
        tell(text, quiet=self.quiet)
