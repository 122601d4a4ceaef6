"""The runs behind the table: FB-CLIP, the floor, two baselines without training and two controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zsadbench
from zsadbench.cli.progress import Progress
from zsadbench.engine.plan import Job
from zsadbench.engine.runner import Reporter, Results
from zsadbench.engine.train import Trained

RESULT, FLOOR = "fbclip", "clip"


@dataclass(frozen=True)
class Entry:
    """One row of the table: a method, how it is run, and what the row is called."""

    label: str
    method: str
    seeded: bool
    arguments: dict[str, Any] = field(default_factory=dict)


class Teller(Progress):
    """Progress that also prints the loss of the first and of the last step of every training."""

    def trained(self, job: Job, trained: Trained) -> None:
        """Say where the parameters come from, and how the loss went if they were trained just now."""
        super().trained(job, trained)
        if trained.first_loss is not None and trained.last_loss is not None:
            control = ", masks permuted" if (job.cell["recipe"] or {}).get("permuted") else ""
            losses = f"loss {trained.first_loss:.4f} at the first step, {trained.last_loss:.4f} at the last"
            print(f"{job.setting.name}, seed {job.seed}{control}: {losses}", flush=True)


ENTRIES = (
    Entry("fbclip", RESULT, seeded=True),
    Entry("clip", FLOOR, seeded=False),
    Entry("token-distance", "token-distance", seeded=False),
    Entry("colour-distance", "colour-distance", seeded=False),
    Entry("fbclip, untrained", RESULT, seeded=True, arguments={"aux": "none"}),
    Entry("fbclip, trained on permuted masks", RESULT, seeded=True, arguments={"option": ["recipe.permuted=true"]}),
)


def run_entry(entry: Entry, seeds: Sequence[int], target: str, out: Path, reporter: Reporter | None) -> Results:
    """Run one row; maps are kept, since the table looks at kinds of defect one by one."""
    arguments = {"aux": "demo-aux", "allow_leak": target == "demo-aux", **entry.arguments}
    return zsadbench.run(
        entry.method,
        target,
        reporter=reporter,
        seed=list(seeds) if entry.seeded else [0],
        backbone="demo",
        weights="demo",
        device="cpu",
        out=out,
        save_maps=True,
        **arguments,
    )


def run_all(
    seeds: Sequence[int], target: str, out: Path, reporter: Reporter | None = None
) -> Iterator[tuple[Entry, Results]]:
    """Run every row in the order of the table.

    Raises:
        SystemExit: a run failed; there is no table then.
    """
    for entry in ENTRIES:
        results = run_entry(entry, seeds, target, out, reporter)
        if results.failures:
            raise SystemExit("\n".join(results.failures))
        yield entry, results
