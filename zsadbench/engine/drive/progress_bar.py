"""The progress bar of `zsadbench.run`, in notebooks and terminals.

tqdm draws it and not rich, which draws the bars of the commands: in a notebook without ipywidgets rich shows nothing
until the end, where tqdm falls back to a line of text.
"""

from __future__ import annotations

import builtins
import sys
import warnings
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from zsadbench.engine.drive.reporter import Reporter
from zsadbench.printing import one_line

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that a notebook has no ipywidgets: then the bar is text
    from tqdm.auto import tqdm

PAUSE = 0.5  # seconds


def is_interactive() -> bool:
    """Whether somebody types at a prompt of Python or IPython, or in a notebook."""
    return hasattr(sys, "ps1") or getattr(builtins, "__IPYTHON__", False)


class ProgressBar(Reporter):
    """One bar over the classes to do, with what is under way: steps of a training, images of a class.

    tqdm draws it: widgets in a notebook that has ipywidgets, else one line of text on stderr.
    """

    def __init__(self) -> None:
        self.bar = tqdm(unit="class", desc="zsadbench", mininterval=PAUSE)
        self.refreshed = perf_counter()
        self.scored, self.total = 0, 0  # images of the class

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def start(self, plan: Plan) -> None:
        """Set the number of classes."""
        self.bar.reset(total=sum(len(job.todo) for job in plan.jobs))

    def training(self, job: Job, done: int, total: int, loss: float, class_name: str = "") -> None:
        """Show the step and its loss."""
        self._say(f"training {job.setup.name}", class_name, f"step {done} of {total}, loss {loss:.4f}")

    def evaluating(self, job: Job, class_name: str, total: int) -> None:
        """Show the class."""
        self.scored, self.total = 0, total
        self._say(f"{job.setup.name} on {job.target.card.name}", class_name, f"{total} images")

    def images(self, count: int) -> None:
        """Show the images of the class."""
        self.scored += count
        self._show(f"image {min(self.scored, self.total)} of {self.total}")

    def evaluated(self, job: Job, class_name: str) -> None:
        """Advance the bar."""
        self.bar.update()

    def failed(self, job: Job, where: str, failure: str) -> None:
        """Print the failure above the bar."""
        self.bar.write(f"error: {failure}", file=sys.stderr)

    def _say(self, what: str, class_name: str, detail: str) -> None:
        self.bar.set_description_str(one_line(f"{what}/{class_name}" if class_name else what), refresh=False)
        self._show(detail)

    def _show(self, detail: str) -> None:
        """Show what is under way, at most every `PAUSE` seconds."""
        self.bar.set_postfix_str(detail, refresh=False)
        if perf_counter() - self.refreshed >= PAUSE:
            self.bar.refresh()
            self.refreshed = perf_counter()
