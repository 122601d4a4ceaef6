"""`zsadbench train`: a checkpoint, without an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, start_logging
from zsadbench.cli.shared.requests import learned_from, request_of


def train(
    method: flags.Methods = None,
    aux: Annotated[
        str | None,
        typer.Option(
            help="What to learn from (default: mvtec; demo-aux for the backbone demo).", envvar="ZSADBENCH_AUX"
        ),
    ] = None,
    seed: flags.Seeds = None,
    option: flags.MethodOptions = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    epochs: flags.Epochs = None,
    image_size: flags.ImageSize = None,
    device: flags.Device = "auto",
    precision: flags.Precision = "fp32",
    workers: flags.Workers = None,
    image_cache: flags.ImageCache = None,
    token_cache: flags.TokenCache = None,
    token_precision: flags.TokenPrecision = "fp32",
    data_root: flags.DataRoots = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to copy the checkpoint to (default: the cache only).")
    ] = None,
    allow_partial: flags.AllowPartial = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train even where a checkpoint is cached.")] = False,
    offline: flags.Offline = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Train methods on an auxiliary set and print where their checkpoints lie."""
    asked = {name: value for name, value in locals().items() if name != "out"}
    start_logging(quiet=quiet, verbose=verbose)
    from zsadbench.engine.train import train_all

    learns = learned_from(asked)
    request = request_of(asked, targets=(learns,), aux=learns, allow_leak=True)
    for event in train_all(request, out, fresh=fresh):
        if json:
            say_json(event)
        else:
            say(event["path"])
