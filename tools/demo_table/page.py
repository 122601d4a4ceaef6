"""The page: tables and text, as Markdown or printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_recipe.held_out import read_rows

from demo_table.halves import METRICS, PARTS, measure
from demo_table.runs import BASELINE, RESULT, TRAINED, Entry
from demo_table.tables import HEADINGS, Numbers, Table, by_kind, controls, gains, held_out, spread, verdicts
from demo_table.text import CONTROLS, GAINS, HELD_OUT, INTRODUCTION, REASONS, how_it_was_made
from zsadbench.cli.shared.output import table
from zsadbench.engine.run import Results
from zsadbench.records import Record
from zsadbench_datasets.demo.families import KINDS, SEEN_KINDS, UNSEEN_KINDS

MADE = Path(__file__).resolve().parents[2] / "zsadbench" / "clip" / "demo" / "made.json"
NOT_CLIP = "demo backbone, not CLIP"
Done = Sequence[tuple[Entry, Results]]


@dataclass(frozen=True)
class Page:
    """The content of the page."""

    seeds: Sequence[int]
    classes: Table
    controls: list[Table]
    gains: Table
    kinds: list[Table]
    verdicts: list[str]
    made: dict[str, Any]
    recipes: dict[str, dict[str, Any]]
    held_out: Table

    def document(self) -> str:
        """The page in Markdown."""
        seeds = f"Percent, seeds {', '.join(map(str, self.seeds))}: mean (smallest–largest)."
        parts = [
            *("# The demo, with its controls", INTRODUCTION),
            *(f"## FB-CLIP by class ({NOT_CLIP})", seeds, self.classes.markdown()),
            *(f"## The controls ({NOT_CLIP})", CONTROLS, *(table.markdown() for table in self.controls)),
            *(f"## Difference to `{BASELINE}` ({NOT_CLIP})", GAINS, self.gains.markdown()),
            *("## Targets set before the runs", "\n".join(self.verdicts), REASONS),
            *(f"## Pixel AUROC by kind of defect ({NOT_CLIP})", *(table.markdown() for table in self.kinds)),
            *("## How it was made", how_it_was_made(self.made, self.recipes)),
            *(HELD_OUT, self.held_out.markdown()),
        ]
        return "\n\n".join(parts) + "\n"


def make_page(done: Done, target: str, seeds: Sequence[int]) -> Page:
    """Measure every run on all, seen and unseen kinds and on each kind of defect, and make the tables."""
    target_kinds = [kind.name for kind in KINDS if target in kind.by_set]
    rows = {
        entry.label: [_numbers(path, target, target_kinds) for path, _ in results.records] for entry, results in done
    }
    records = {entry.label: [record for _, record in results.records] for entry, results in done}
    recipes = {label: records[label][0].cell["recipe"] for label in TRAINED if label in records}
    return Page(
        seeds=seeds,
        classes=_by_class(records[RESULT]),
        controls=[controls(rows, metric) for metric in METRICS],
        gains=gains(rows, BASELINE, list(recipes)),
        kinds=list(_by_kind(done, target, target_kinds)),
        verdicts=verdicts(rows),
        made=json.loads(MADE.read_text(encoding="utf-8")),
        recipes=recipes,
        held_out=held_out(read_rows(), recipes),
    )


def say(done: Done, page: Page) -> None:
    """Print the tables and the paths of the records."""
    table(f"fbclip by class, percent ({NOT_CLIP})", page.classes.header, page.classes.rows)
    for controls_table in page.controls:
        header = ["run", *controls_table.header[1:]]
        table(f"{controls_table.header[0]}, percent ({NOT_CLIP})", header, controls_table.rows)
    table(f"difference to {BASELINE}, points ({NOT_CLIP})", page.gains.header, page.gains.rows)
    for kinds_table in page.kinds:
        header = ["run", *kinds_table.header[1:]]
        table(f"pixel AUROC by {kinds_table.header[0]}, percent ({NOT_CLIP})", header, kinds_table.rows)
    print("\n".join(page.verdicts), "\n")
    for entry, results in done:
        for path, _ in results.records:
            print(f"{entry.label}: {path}")


def _numbers(path: Path, target: str, target_kinds: Sequence[str]) -> Numbers:
    """The metrics of a record on all, seen and unseen kinds, as far as the target has them."""
    parts = {part: [kind for kind in kinds if kind in target_kinds] for part, kinds in PARTS.items()}
    return {part: measure(path, target, kinds) for part, kinds in parts.items() if kinds}


def _by_kind(done: Done, target: str, target_kinds: Sequence[str]) -> Iterator[Table]:
    for half, seen in ((SEEN_KINDS, True), (UNSEEN_KINDS, False)):
        kinds = [kind for kind in half if kind in target_kinds]
        rows = {
            entry.label: {
                kind: [measure(path, target, [kind])["pixel_auroc"] for path, _ in results.records] for kind in kinds
            }
            for entry, results in done
        }
        if kinds:
            yield by_kind(rows, kinds, seen=seen)


def _by_class(records: Sequence[Record]) -> Table:
    rows = [
        (name, *(spread([_defined(record.classes[name][metric]) for record in records]) for metric in METRICS))
        for name in records[0].expected
    ]
    means = [record.mean()[0] for record in records]
    mean = ("mean", *(spread([_defined(of_seed[metric]) for of_seed in means]) for metric in METRICS))
    return Table(["class", *(HEADINGS[metric] for metric in METRICS)], [*rows, mean])


def _defined(value: float | None) -> float:
    """The value of a metric, which is always defined, because every class of the demo has both labels."""
    if value is None:
        raise SystemExit("a metric is undefined; was the set cut short?")
    return value
