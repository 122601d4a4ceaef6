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
from zsadbench.flags.fields import OUTPUT
from zsadbench.flags.out import check_out
from zsadbench.profile.request import ProfileRequest

RUN_FLAGS = RequestFlags(
    RunRequest,
    "methods options weights image_size offline device compile",
    save_maps="Refused: writing files is not part of a method's time.",
)
EXAMPLES = examples(
    "zsadbench profile -m fbclip --backbone demo --weights demo",
    "zsadbench profile -m clip --backbone ViT-B-16,EVA02-B-16 --weights random",
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
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure what methods cost on this machine; published costs stand in columns next to the measured ones.

    With --json, one object per backbone, method, precision and batch size, as soon as it is measured.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    from zsadbench.profile.measure import profile as measure

    if out is not None:
        check_out(out)
    request = ProfileRequest(RunRequest(**{**run, "targets": ("none",), "aux": "none"}), **fields)
    measured: list[dict[str, Any]] = []
    try:
        for figures in measure(request):
            measured.append(figures)
            if json:
                say_json(figures)
    finally:
        _finish(measured, request, out, json=json)


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
