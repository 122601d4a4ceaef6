"""`zsadbench score`: metrics for anomaly maps that another program made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from zsadbench.cli.shared.output import say_json, tell
from zsadbench.saved_maps.request import ScoreRequest

EXAMPLES = examples(
    "zsadbench score maps/ --target visa --about about.toml",
    "zsadbench score maps/ --target mvtec --class bottle,cable --json",
)


@with_flags
def score(
    maps: Annotated[
        Path, typer.Argument(metavar="MAPS", help="Folder with one map per image: .npy, .npz, .tiff, .png.")
    ],
    fields: Annotated[Fields, RequestFlags(ScoreRequest)],
    plugin: Plugin = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure maps that are named like the images of a target, and write the same record as a run.

    Exit codes: 0 done, 2 usage, 3 the target or maps are missing, 5 some classes failed and the others are kept.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    from zsadbench.saved_maps.plan import make_score_plan
    from zsadbench.saved_maps.score import score_maps

    request = ScoreRequest(maps, **fields)
    plan = make_score_plan(request)
    results = score_maps(
        plan, lambda name, images: tell(f"{plan.cell['method']} on {name}: {images} maps", quiet=quiet)
    )
    for failure in results.failures:
        tell(f"error: {failure}")
    if json:
        from zsadbench.cli.shared.progress import record_event

        for path, record in results.records:
            say_json(record_event(path, record))
        say_json({"event": "done", **{name: getattr(results, name) for name in ("finished", "skipped", "failed")}})
    else:
        from zsadbench.cli.tables.results import print_results

        print_results(plan, results, request.metrics)
    if results.failures:
        raise typer.Exit(5)
