"""`zsadbench run`: train or load each method, evaluate every class, write records, print the table."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say_json, start_log_file, start_logging, table
from zsadbench.cli.shared.requests import request_of
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.run import Results

HOUR = 3600


def run(
    method: flags.Methods = None,
    target: flags.Targets = None,
    class_: flags.Classes = None,
    seed: flags.Seeds = None,
    aux: flags.Aux = None,
    option: flags.MethodOptions = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Per class the first N normal and N anomalous test images.", envvar="ZSADBENCH_LIMIT"),
    ] = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    checkpoint: flags.CheckpointPath = None,
    epochs: flags.Epochs = None,
    image_size: flags.ImageSize = None,
    shots: Annotated[
        list[str] | None, typer.Option(help="Few-shot variants: normal images per class; repeatable (default 0).")
    ] = None,
    support_seed: Annotated[
        list[str] | None, typer.Option(help="Which normal images few-shot variants draw; repeatable (default 0).")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Evaluation protocol.", envvar="ZSADBENCH_PROTOCOL")] = "strict",
    device: flags.Device = "auto",
    precision: flags.Precision = "fp32",
    compile: flags.Compile = "off",
    batch_size: Annotated[
        str, typer.Option(help="Images at a time: auto, or a number.", envvar="ZSADBENCH_BATCH_SIZE")
    ] = "auto",
    workers: flags.Workers = None,
    image_cache: flags.ImageCache = None,
    data_root: flags.DataRoots = None,
    out: Annotated[Path, typer.Option(help="Where records go.", envvar="ZSADBENCH_OUT")] = Path("results"),
    overwrite: Annotated[str, typer.Option(help="never, missing or always.", envvar="ZSADBENCH_OVERWRITE")] = "missing",
    allow_partial: flags.AllowPartial = False,
    allow_leak: flags.AllowLeak = False,
    save_maps: Annotated[bool, typer.Option("--save-maps", help="Keep every anomaly map beside the record.")] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="One more metric, such as pixel_aupro@0.05."),
    ] = None,
    token_cache: flags.TokenCache = None,
    token_precision: flags.TokenPrecision = "fp32",
    engine: Annotated[str, typer.Option(help="Where cells run: local, or ray.")] = "local",
    plugin: Annotated[list[Path] | None, typer.Option(help="A file that defines one more method as CARD.")] = None,
    offline: flags.Offline = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Train or load each method, evaluate every class, write one record per method, target and seed.

    Re-issuing the same command finishes what is missing. Exit codes: 0 done, 2 usage, 3 data, 4 weights or
    checkpoint, 5 some cells failed and the others are kept, 130 interrupted.
    """
    asked = dict(locals())
    start_logging(quiet=quiet, verbose=verbose)
    if engine != "local":
        raise UsageError(f"--engine is '{engine}'; only 'local' is built yet")
    from zsadbench import registry
    from zsadbench.engine.plan.jobs import make_plan

    for path in plugin or ():
        registry.add_plugin(path)
    plan = make_plan(request_of(asked, offline=offline or dry_run))
    if dry_run:
        show_plan(plan, json=json)
    else:
        finish(plan, json=json, quiet=quiet)


def show_plan(plan: Plan, *, json: bool) -> None:
    """Print the jobs: what is done and what is to do."""
    rows = [
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
        }
        for job in plan.jobs
    ]
    if json:
        for row in rows:
            say_json(row)
        return
    header = ["method", "target", "seed", "shots", "aux", "done", "to do", "record"]
    counted = [
        (
            *(row[name] for name in ("method", "target", "seed", "shots")),
            *(row["aux"] or "-", len(row["done"]), len(row["todo"]), row["path"]),
        )
        for row in rows
    ]
    table("", header, [tuple(map(str, row)) for row in counted])


def finish(plan: Plan, *, json: bool, quiet: bool) -> None:
    """Run the plan, print what it gave, and leave with 5 if something failed."""
    from zsadbench.cli.shared.progress import Progress
    from zsadbench.engine.run import run_plan

    log_file = start_log_file(plan.request.out)
    warn_of_hours(plan)
    with Progress(json=json, quiet=quiet) as progress:
        results = run_plan(plan, progress)
    if json:
        say_json({"event": "done", **_tally(results)})
    else:
        from zsadbench.cli.tables.results import print_results

        print_results(plan, results, plan.request.metrics)
    if results.failures:
        logging.getLogger(__name__).info("%d failures; this run's log is %s", len(results.failures), log_file)
        raise typer.Exit(5)


def warn_of_hours(plan: Plan) -> None:
    """Warn with an estimate before hours on a CPU."""
    from zsadbench.engine.estimate import estimate_seconds
    from zsadbench.engine.machine.device import choose_device

    if choose_device(plan.request.device).type == "cpu" and (seconds := estimate_seconds(plan)) > HOUR:
        logging.getLogger(__name__).warning(
            "about %.1f hours on this CPU (a rough estimate); a GPU, --limit or a smaller --image-size is faster",
            seconds / HOUR,
        )


def _tally(results: Results) -> dict[str, Any]:
    return {"finished": results.finished, "skipped": results.skipped, "failed": results.failed}
