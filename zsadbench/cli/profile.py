"""`zsadbench profile`: latency, throughput, memory, parameters and multiply-accumulates, per stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
from zsadbench.cli.shared.output import say, say_json, tell
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError
from zsadbench.flags.fields import OUTPUT
from zsadbench.flags.out import check_out
from zsadbench.profile.request import ProfileRequest

RUN_FLAGS = RequestFlags(
    RunRequest,
    "methods options weights image_size offline device compile",
    methods="Method; repeatable, or a comma list; with --into, by default all whose runs shared an encoding.",
    save_maps="Refused: writing files is not part of a method's time.",
)
EXAMPLES = examples(
    "zsadbench profile -m clip --backbone ViT-B-16,EVA02-B-16 --weights random",
    "zsadbench profile --into results",
)


@with_flags
def profile(
    run: Annotated[Fields, RUN_FLAGS],
    fields: Annotated[Fields, RequestFlags(ProfileRequest)],
    plugin: Plugin = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for profile.json and profile.svg.", metavar="PATH", rich_help_panel=OUTPUT),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            help="Folder with records, for a cost of each method alone in its report.",
            metavar="RESULTS",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure what methods cost on this machine; published costs stand in columns next to the measured ones.

    With --into and no --method, the methods, options, sizes and precisions are those of the records whose encoding was
    shared, which hold no cost of one method.

    With --json, one object per backbone, method, precision and batch size, as soon as it is measured.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    from zsadbench.profile.measure import profile as measure
    from zsadbench.profile.shared_costs import records_without_cost, setups_of

    for folder in filter(None, (out, into)):
        check_out(folder)
    if not run["methods"] and into is None:
        raise UsageError("name a method: --method; or a folder with records: --into")
    records = records_without_cost(into) if into is not None and not run["methods"] else []
    methods = run["methods"] or tuple(dict.fromkeys(record.cell["method"] for record in records))
    request = ProfileRequest(RunRequest(**{**run, "methods": methods, "targets": ("none",), "aux": "none"}), **fields)
    setups = setups_of(records, request) if records else None
    measured: list[dict[str, Any]] = []
    try:
        for figures in measure(request, setups):
            measured.append(figures)
            if into is not None:
                _keep(figures, into, request.run.device, json=json)
            if json:
                say_json(figures)
    finally:
        _finish(measured, request, out, json=json)


def _keep(figures: dict[str, Any], results: Path, device: str, *, json: bool) -> None:
    """Write the profile of one method beside the records, as soon as it is measured."""
    from zsadbench.engine.machine.device import choose_device
    from zsadbench.engine.record.provenance import machine_of, provenance
    from zsadbench.records import write_profile_of

    path = write_profile_of(results, figures, provenance(machine_of(choose_device(device))))
    (tell if json else say)(f"written: {path}")


def _finish(measured: list[dict[str, Any]], request: ProfileRequest, out: Path | None, *, json: bool) -> None:
    """Print and write what was measured, also after a failure."""
    if not measured:
        return
    if not json:
        from zsadbench.cli.tables.profile import print_profile

        print_profile(measured)
    if out is not None:
        from zsadbench.profile.files import write_profile

        for path in write_profile(out, measured, request.run.device):
            (tell if json else say)(f"written: {path}")
