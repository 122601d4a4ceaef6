"""`zsadbench run`: train or load each method, evaluate every class, write records, print the table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
from zsadbench.errors import in_one_line
from zsadbench.flags.fields import WHAT

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.plan.outline import Outline

log = logging.getLogger(__name__)

EXAMPLES = examples(
    "zsadbench run -m fbclip -t demo",
    "zsadbench run -m fbclip,clip -t visa --data-root data --dry-run",
)


@with_flags
def run(
    fields: Annotated[Fields, RequestFlags(RunRequest)],
    plugin: Plugin = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the plan and what is missing for it; run nothing.", rich_help_panel=WHAT),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train or load each method, evaluate every class, and write one record per method, target and seed.

    The same command again finishes what is missing. Options with several values (-O temperature=0.07|0.1, --sweep) run
    with each combination, one record each.

    Exit codes: 0 done, 2 usage, 3 data, 4 weights or checkpoint, 5 some cells failed and the others are kept,
    130 interrupted.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    if dry_run:
        from zsadbench.engine.plan.outline import outline

        _show_plan(outline(RunRequest(**{**fields, "offline": True})), json=json)
    else:
        from zsadbench.engine.plan.jobs import make_plan

        _finish(make_plan(RunRequest(**fields)), json=json, quiet=quiet)


def _show_plan(shown: Outline, *, json: bool) -> None:
    """Print one row per job: the classes that are done, those to do, the record, and what is missing for it."""
    rows = _rows(shown)
    for name, why in shown.missing.items():
        log.warning("missing: %s: %s", name, in_one_line(why).replace("\nerror: ", "; "))
    if json:
        for row in rows:
            say_json(row)
        return
    swept = ["setting"] if any(row["setting"] for row in rows) else []
    header = ["method", *swept, "target", "seed", "shots", "aux", "done", "to do"]
    header += ["missing"] if shown.outlined else []
    cells = [
        (
            *(str(row[name]) for name in ("method", *swept, "target", "seed", "shots")),
            *(row["aux"] or "-", "?" if row["done"] is None else str(len(row["done"])), str(len(row["todo"]))),
            *([", ".join(row["missing"]) or "-"] if shown.outlined else []),
            row["path"] or "-",
        )
        for row in rows
    ]
    table("", [*header, "record"], cells, optional=["record"])
    _show_trainings(rows)


def _rows(shown: Outline) -> list[dict[str, Any]]:
    """Return the object of every job that `--json` prints; what is not known yet is None."""
    from zsadbench.engine.plan.settings import differing, setting_text

    settings = differing([job.setup.method for job in shown.plan.jobs])
    planned = [
        {
            "event": "plan",
            "method": job.setup.name,
            "setting": setting_text(setting),
            "target": job.target.card.name,
            "seed": job.seed,
            "shots": job.cell["shots"],
            "support_seed": job.supports.seed if job.supports else None,
            "aux": job.aux.card.name if job.aux else None,
            "done": [name for name in job.selected if name not in job.todo],
            "todo": list(job.todo),
            "path": str(job.path),
            "missing": [],
            **_trainings(job),
        }
        for job, setting in zip(shown.plan.jobs, settings, strict=True)
    ]
    outlined = [
        {
            "event": "plan",
            **{
                name: getattr(job, name)
                for name in ("method", "setting", "target", "seed", "shots", "support_seed", "aux")
            },
            "done": None,
            "todo": list(job.classes),
            "path": None,
            "missing": list(job.missing),
        }
        for job in shown.outlined
    ]
    return planned + outlined


def _show_trainings(rows: Sequence[dict[str, Any]]) -> None:
    """Print one row per training on support images, if there are any."""
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
