"""The runs of the table: plain CLIP, the trained methods, what they are without training, and controls."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

import zsadbench
from zsadbench.cli.shared.progress import Progress
from zsadbench.engine.learn.detector import Detector
from zsadbench.engine.plan.jobs import Job
from zsadbench.engine.results import Results
from zsadbench_datasets.demo.kinds import SEEN_KINDS

RESULT, BASELINE, TOLD = "fbclip", "clip", "clip, told the kinds"
TRAINED = (RESULT, "afclip", "anomalyclip")
LEARNERS = ("aprilgan", "adaclip", "aaclip", "faprompt", "mfpclip")  # added later, without an aim
WITHOUT_TRAINING = (BASELINE, "winclip")
TARGET, AUX = "demo", "demo-aux"
WORDS = f"a photo of a {{}} with a {', '.join(SEEN_KINDS[:-1])} or {SEEN_KINDS[-1]}."
Done = Sequence[tuple["Entry", Results]]


@dataclass(frozen=True)
class Entry:
    """One row of the table: its label, the method, whether it runs with every seed, further arguments of the run."""

    label: str
    method: str
    seeded: bool
    arguments: dict[str, Any] = field(default_factory=dict)


class LineProgress(Progress):
    """Progress as lines, because two runs print at once, with the first and last loss of every training."""

    @staticmethod
    def _bars() -> None:
        return None

    def trained(self, job: Job, detector: Detector) -> None:
        """Print where the parameters come from, and the losses if they were trained now."""
        super().trained(job, detector)
        if detector.first_loss is not None and detector.last_loss is not None:
            control = ", masks permuted" if (job.cell["recipe"] or {}).get("permuted") else ""
            losses = f"loss {detector.first_loss:.4f} at the first step, {detector.last_loss:.4f} at the last"
            print(f"{job.setup.name}, seed {job.seed}{control}: {losses}", flush=True)


def untrained(name: str) -> str:
    """The label of a method with its initial values."""
    return f"{name}, untrained"


ENTRIES = (
    Entry(BASELINE, BASELINE, seeded=False),
    *(Entry(name, name, seeded=True) for name in TRAINED),
    *(Entry(name, name, seeded=False) for name in WITHOUT_TRAINING if name != BASELINE),
    *(Entry(name, name, seeded=True) for name in LEARNERS),
    *(Entry(untrained(name), name, seeded=True, arguments={"aux": "none"}) for name in (*TRAINED, *LEARNERS)),
    *(
        Entry(f"{name}, masks permuted", name, seeded=False, arguments={"option": ["recipe.permuted=true"]})
        for name in TRAINED
    ),
    Entry(TOLD, BASELINE, seeded=False, arguments={"option": ["normal=a photo of a {}.", f"anomalous={WORDS}"]}),
    Entry("token-distance", "token-distance", seeded=False),
    Entry("colour-distance", "colour-distance", seeded=False),
)
SHORT = tuple(entry for entry in ENTRIES if entry.label in {BASELINE, RESULT, untrained(RESULT)})


def run_entry(entry: Entry, seeds: Sequence[int], out: Path) -> Results:
    """Run one row on one core; maps are saved, for pictures and for each kind of defect."""
    torch.set_num_threads(1)
    with LineProgress(json=False, quiet=False) as progress:
        return zsadbench.run(
            entry.method,
            TARGET,
            reporter=progress,
            seed=list(seeds) if entry.seeded else [0],
            backbone="demo",
            weights="demo",
            device="cpu",
            out=out,
            save_maps=True,
            **{"aux": AUX, **entry.arguments},
        )


def run_all(entries: Sequence[Entry], seeds: Sequence[int], out: Path) -> list[tuple[Entry, Results]]:
    """Run every row, two at a time, the longest runs first; the result is in the order of the table.

    Raises:
        SystemExit: a run failed.
    """
    first = sorted(entries, key=lambda entry: (entry.method != RESULT, entry.arguments.get("aux") == "none"))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        running = {entry.label: pool.submit(run_entry, entry, seeds, out) for entry in first}
        done = [(entry, running[entry.label].result()) for entry in entries]
    failures = [failure for _, results in done for failure in results.failures]
    if failures:
        raise SystemExit("\n".join(failures))
    return done
