"""`zsadbench run`: train or load each method, evaluate every class, write records, print the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import (
    Fields,
    Json,
    Plugin,
    Quiet,
    RequestFlags,
    Verbose,
    add_plugins,
    examples,
    with_flags,
)
from zsadbench.cli.shared.output import say_json, table
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import WHAT

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan

EXAMPLES = examples(
    "zsadbench run -m fbclip -t demo",
    "zsadbench run -m fbclip,clip -t visa --data-root data --dry-run",
)


@with_flags
def run(
    fields: Annotated[Fields, RequestFlags(RunRequest)],
    plugin: Plugin = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.", rich_help_panel=WHAT)] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train or load each method, evaluate every class, and write one record per method, target and seed.

    The same command again finishes what is missing.

    Exit codes: 0 done, 2 usage, 3 data, 4 weights or checkpoint, 5 some cells failed and the others are kept,
    130 interrupted.
    """
    start_logging(quiet=quiet, verbose=verbose)
    from zsadbench.engine.plan.jobs import make_plan

    add_plugins(plugin)
    plan = make_plan(RunRequest(**{**fields, "offline": fields["offline"] or dry_run}))
    if dry_run:
        _show_plan(plan, json=json)
    else:
        _finish(plan, json=json, quiet=quiet)


def _show_plan(plan: Plan, *, json: bool) -> None:
    """Print one row per job: the classes that are done, those to do, and the record."""
    rows: list[dict[str, Any]] = [
        {
            "event": "plan",
            "method": job.setup.name,
            "target": job.target.card.name,
            "seed": job.seed,
            "shots": job.cell["shots"],
            "support_seed": job.supports.seed if job.supports else None,
            "aux": job.aux.card.name if job.aux else None,
            "done": [name for name in job.selected if name not in job.todo],
            "todo": list(job.todo),
            "path": str(job.path),
            **_trainings(job),
        }
        for job in plan.jobs
    ]
    if json:
        for row in rows:
            say_json(row)
        return
    header = ["method", "target", "seed", "shots", "aux", "done", "to do", "record"]
    shown = [
        (
            *(str(row[name]) for name in ("method", "target", "seed", "shots")),
            *(row["aux"] or "-", str(len(row["done"])), str(len(row["todo"])), row["path"]),
        )
        for row in rows
    ]
    table("", header, shown, optional=["record"])
    trainings = [(row, training) for row in rows for training in row.get("trainings", [])]
    if trainings:
        header = ["training", "class", "stage", "shots", "seed", "steps", "checkpoint"]
        of_class = [
            (
                *(row["method"], training["class"], training["stage"] or "-", str(row["shots"]), str(row["seed"])),
                *(str(training["steps"]), f"{training['checkpoint']}{' (cached)' if training['cached'] else ''}"),
            )
            for row, training in trainings
        ]
        table("", header, of_class)


def _trainings(job: Job) -> dict[str, list[dict[str, Any]]]:
    """Return the entry of the trainings on support images; empty for a job without."""
    from zsadbench.engine.plan.class_trainings import class_trainings

    listed = [
        {
            "class": training.class_name,
            "stage": training.stage,
            "steps": training.steps,
            "checkpoint": training.checkpoint.stem,
            "cached": training.done,
        }
        for training in class_trainings(job, job.todo)
    ]
    return {"trainings": listed} if listed else {}


def _finish(plan: Plan, *, json: bool, quiet: bool) -> None:
    """Run the plan, print the results, and leave with 5 if something failed."""
    from zsadbench.cli.shared.progress import run_with_progress

    results = run_with_progress(plan, json=json, quiet=quiet)
    if json:
        say_json({"event": "done", **{name: getattr(results, name) for name in ("finished", "skipped", "failed")}})
    else:
        from zsadbench.cli.tables.results import print_results

        print_results(plan, results, plan.request.metrics)
    if results.failures:
        raise typer.Exit(5)
