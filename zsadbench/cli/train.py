"""`zsadbench train`: a checkpoint, without an evaluation."""

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
from zsadbench.cli.shared.output import say, say_json
from zsadbench.cli.shared.requests import learned_from
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import COMPUTE, OUTPUT

FLAGS = RequestFlags(
    RunRequest,
    "methods classes seeds shots support_seeds options sweep data_roots allow_partial normal max_pixels "
    "backbone weights epochs image_size offline device precision workers image_cache token_cache token_precision",
    aux="Auxiliary set to learn from, or the set whose normal training images a method learns from with --shots "
    "(default: mvtec; demo-aux for the demo backbone).",
)
EXAMPLES = examples(
    "zsadbench train -m promptad --aux mvtec --class bottle --shots 4",
    "zsadbench train -m fbclip,afclip --aux visa --seed 0,1,2 --out checkpoints",
)


@with_flags
def train(
    fields: Annotated[Fields, FLAGS],
    plugin: Plugin = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train even where a checkpoint is cached.", rich_help_panel=COMPUTE)
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to copy the checkpoint to (default: the cache only).", metavar="PATH", rich_help_panel=OUTPUT
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train methods on an auxiliary set and print the paths of their checkpoints.

    Options with several values (-O recipe.lr=1e-4|1e-3, --sweep) are trained with each combination.
    """
    start_logging(quiet=quiet, verbose=verbose)
    add_plugins(plugin)
    from zsadbench.engine.train import train_all

    aux = learned_from(fields)
    request = RunRequest(**{**fields, "targets": (aux,), "aux": aux, "allow_leak": True})
    for event in train_all(request, out, fresh=fresh):
        if json:
            say_json(event)
        else:
            say(event["path"])
