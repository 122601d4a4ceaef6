"""Progress of a run on stderr: nested bars on a terminal, else one line per step; records as JSON on stdout."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.logs import PROGRESS, start_log_file
from zsadbench.cli.shared.output import say_json, tell
from zsadbench.engine.drive.reporter import Reporter
from zsadbench.printing import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID

    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.record.facts import Preparation
    from zsadbench.engine.results import Results
    from zsadbench.records import Record

log = logging.getLogger(__name__)

HOUR = 3600  # seconds


def run_with_progress(plan: Plan, *, json: bool, quiet: bool, log_file: Path | None = None) -> Results:
    """Run a plan with progress on stderr, a log file and, with `json`, an event per record on stdout.

    `log_file` is the one of an earlier plan of the same command, which goes on; None starts one.
    """
    from zsadbench.engine.run import run_plan

    log_file = log_file or start_log_file(plan.request.out)
    _warn_of_hours(plan)
    with Progress(json=json, quiet=quiet) as progress:
        results = run_plan(plan, progress)
    if results.failures:
        log.info("%d failures; this run's log is %s", len(results.failures), log_file)
    return results


def _warn_of_hours(plan: Plan) -> None:
    """Warn with an estimate before a run of hours on a CPU."""
    from zsadbench.engine.estimate import estimate_seconds
    from zsadbench.engine.plan.engines import choose_engine

    if choose_engine(plan.request).devices[0].type == "cpu" and (seconds := estimate_seconds(plan)) > HOUR:
        log.warning(
            "about %.1f hours on this CPU (a rough estimate); a GPU, --limit or a smaller --image-size is faster",
            seconds / HOUR,
        )


def record_event(path: Path, record: Record) -> dict[str, Any]:
    """Return the JSON object that `--json` prints for a record."""
    content = record.as_json()
    figures = {key: content[key] for key in ("mean", "classes", "cost", "signature")}
    if content["ledger"].get("leak"):
        figures["leak"] = content["ledger"]["grade"]
    cell = record.cell
    if cell.get("transductive"):
        figures["transductive"] = cell["transductive"]
    if cell.get("unofficial"):
        figures["unofficial"] = True
    named = {"method": cell["method"], "target": cell["target"]["name"], "seed": cell["seed"]}
    return {"event": "record", "path": str(path), **named, **figures}


class Progress(Reporter):
    """A reporter for `run_plan`; with `json` it prints one JSON object per record."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.json, self.quiet = json, quiet
        self.log = logging.getLogger(PROGRESS)
        self.bars = self._bars() if not quiet and sys.stderr.isatty() else None
        self.classes: TaskID | None = None
        self.inner: TaskID | None = None
        self.label = ""
        self.steps: tuple[str, int, int] | None = None  # the training that goes on: what, steps done, all steps
        self.open: dict[str, int] = {}  # methods and classes that go on → images that were left when they began
        self.saved: dict[str, int] = {}  # the same → images that are kept if the run is interrupted now
        self.scored = 0  # images of these classes

    @staticmethod
    def _bars() -> Bars:
        """Make the progress bars of rich, with a column for the speed."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        class Speed(ProgressColumn):
            """A column with the speed, such as `12.3 images/s`, once it is known, and a note."""

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
        if isinstance(failure, KeyboardInterrupt):
            self._say_what_is_lost()

    def _say_what_is_lost(self) -> None:
        """Say what the next run does again: nothing is kept inside an epoch, or inside a shard of a class."""
        if self.steps:
            what, done, total = self.steps
            tell(f"to be continued after its last kept epoch: {what}, {done} of {total} steps were done")
        for label, total in self.open.items():
            kept = self.saved.get(label, 0)
            scored = max(kept, min(self.scored, total))
            kept_too = f", {kept} of them are kept" if kept else ""
            tell(f"to be repeated: {label}, {scored} of {total} images were scored{kept_too}")

    def start(self, plan: Plan) -> None:
        """Start the bar of all classes to do."""
        total = sum(len(job.todo) for job in plan.jobs)
        if self.bars:
            self.classes = self.bars.add_task("classes", total=total, unit="classes", note="")
        self._say(f"records: {len(plan.jobs)}; classes to do: {total}")

    def training(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:
        """Advance the training bar; without bars print the first, the last and ten steps between."""
        label = f"training {job.setup.name}{f' on {class_name}' if class_name else ''}, seed {job.seed}"
        self.steps = (label, done, total) if done < total else None
        if self.bars:
            self._inner(label, total, done, "steps", f"loss {loss:.4f}")
        elif done in {1, total} or done % max(1, total // 10) == 0:
            self._say(f"{label}: step {done} of {total}, loss {loss:.4f}")

    def trained(self, job: Job, preparation: Preparation) -> None:
        """Print whether the parameters were trained or loaded, and the path of their checkpoint."""
        if preparation.checkpoint is not None:
            how = "trained" if preparation.first_loss is not None else "loaded"
            self._say(f"{job.setup.name}, seed {job.seed}: {how}, checkpoint {preparation.checkpoint}")

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """Start the bar of a class."""
        label = f"{job.setup.name} on {job.target.card.name}/{class_name}"
        if not self.open:
            self.scored = 0
        self.open[label] = total
        word = job.target.card.words(job.setup.name)[class_name]
        if self.bars:
            self._inner(f"{label} ('{word}')", total, 0, "images")  # of several classes at once, the last
        else:
            self._say(f"{label}: {total} images, '{word}' in prompts")

    def kept(self, job: Job, class_name: str, count: int) -> None:
        """Take note of images that need not be scored again."""
        label = f"{job.setup.name} on {job.target.card.name}/{class_name}"
        self.saved[label] = self.saved.get(label, 0) + count

    def evaluated(self, job: Job, class_name: str) -> None:
        """Advance the bar of all classes."""
        label = f"{job.setup.name} on {job.target.card.name}/{class_name}"
        self.open.pop(label, None)
        self.saved.pop(label, None)
        if self.bars and self.classes is not None:
            self.bars.advance(self.classes)

    def images(self, count: int) -> None:
        """Advance the bar of the class."""
        self.scored += count
        if self.bars and self.inner is not None:
            self.bars.advance(self.inner, count)

    def record(self, job: Job, record: Record) -> None:
        """Print the JSON object of a record, or its path."""
        if not self.json:
            self._say(f"record {job.path}")
            return
        few_shot = {"shots": job.supports.shots, "support_seed": job.supports.seed} if job.supports else {}
        say_json(record_event(job.path, record) | few_shot)

    def failed(self, job: Job, where: str, failure: str) -> None:
        """Print what failed, also with `quiet`."""
        self.steps = None
        self.log.info("failed: %s", failure)
        tell(f"error: {failure}")

    def _inner(self, label: str, total: int, done: int, unit: str, note: str = "") -> None:
        """Show `done` of `total`; a new label starts a new bar with its own speed."""
        assert self.bars is not None  # noqa: S101 - only called with bars
        if self.inner is None or label != self.label:
            if self.inner is not None:
                self.bars.remove_task(self.inner)
            self.inner, self.label = self.bars.add_task(one_line(label), total=total, unit=unit, note=note), label
        self.bars.update(self.inner, completed=done, note=note)

    def _say(self, text: str) -> None:
        """Log a line and, unless `quiet`, print it on stderr."""
        self.log.info(text)
        tell(text, quiet=self.quiet)
