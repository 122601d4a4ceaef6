"""The page docs/demo.md: all tables, and the text around them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from demo_recipe.held_out import read_rows

from demo_table.halves import METRICS, PARTS, measure
from demo_table.runs import BASELINE, LEARNERS, RESULT, TRAINED, Done, untrained
from demo_table.tables import Numbers, Table, by_class, by_kind, controls, gains, held_out, missed
from demo_table.text import (
    CONTROLS,
    GAINS,
    HELD_OUT,
    INTRODUCTION,
    ONE_LOOK,
    PERMUTED,
    TIME,
    backbone_text,
    recipes_text,
    rules_text,
)
from zsadbench_datasets.demo.kinds import SEEN_KINDS, UNSEEN_KINDS

MADE = Path(__file__).resolve().parents[2] / "zsadbench" / "clip" / "demo" / "made.json"
NOT_CLIP = "demo backbone, not CLIP"


def document(done: Done, seeds: Sequence[int]) -> str:
    """Measure every run on all, seen and unseen kinds and on each kind of defect, and write the page in Markdown."""
    rows = {entry.label: [_numbers(path) for path, _ in results.records] for entry, results in done}
    records = {entry.label: [record for _, record in results.records] for entry, results in done}
    recipes = {label: records[label][0].cell["recipe"] for label in (*TRAINED, *LEARNERS)}
    bases = {name: (BASELINE, untrained(name)) for name in (*TRAINED, *LEARNERS)}
    aimed = {name: bases[name] for name in TRAINED}
    percent = f"Percent, seeds {', '.join(map(str, seeds))}: mean (smallest–largest)."
    parts = [
        *("# The demo, with its controls", INTRODUCTION),
        *(f"## FB-CLIP by class ({NOT_CLIP})", percent, by_class(records[RESULT]).markdown()),
        *(
            f"## What training adds ({NOT_CLIP})",
            GAINS,
            gains(rows, bases).markdown(),
            f"{missed(rows, aimed)} {ONE_LOOK}",
        ),
        *(f"## All runs ({NOT_CLIP})", CONTROLS, *(controls(rows, metric).markdown() for metric in METRICS), PERMUTED),
        *(f"## Pixel AUROC by kind of defect ({NOT_CLIP})", *(table.markdown() for table in _by_kind(done))),
        *("## How it was made", rules_text(), backbone_text(json.loads(MADE.read_text(encoding="utf-8")))),
        *("## What takes how long", TIME),
        *("## How the recipes were chosen", recipes_text(recipes), HELD_OUT, held_out(read_rows(), recipes).markdown()),
    ]
    return "\n\n".join(parts) + "\n"


def _numbers(path: Path) -> Numbers:
    """The metrics of a record on all, seen and unseen kinds."""
    return {part: measure(path, kinds) for part, kinds in PARTS.items()}


def _by_kind(done: Done) -> Iterator[Table]:
    for kinds, seen in ((SEEN_KINDS, True), (UNSEEN_KINDS, False)):
        rows = {
            entry.label: {kind: [_pixel_auroc(path, kind) for path, _ in results.records] for kind in kinds}
            for entry, results in done
        }
        yield by_kind(rows, kinds, seen=seen)


def _pixel_auroc(path: Path, kind: str) -> float:
    return measure(path, [kind], ["pixel_auroc"])["pixel_auroc"]
