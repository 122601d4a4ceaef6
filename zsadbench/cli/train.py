"""`zsadbench train`: a checkpoint, without an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli import options as flags
from zsadbench.cli.common import say, say_json, split, split_numbers, split_options, start_logging


def train(
    method: flags.Methods = None,
    aux: Annotated[str, typer.Option(help="What to learn from.", envvar="ZSADBENCH_AUX")] = "mvtec",
    seed: flags.Seeds = None,
    option: flags.MethodOptions = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    epochs: flags.Epochs = None,
    image_size: flags.ImageSize = None,
    device: flags.Device = "auto",
    precision: flags.Precision = "fp32",
    workers: flags.Workers = 2,
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
    start_logging(quiet=quiet, verbose=verbose)
    from zsadbench.engine.request import RunRequest
    from zsadbench.engine.training import train_all

    request = RunRequest(
        methods=split(method),
        targets=(aux,),
        seeds=split_numbers(seed, "--seed"),
        aux=aux,
        options=split_options(option),
        backbone=backbone,
        weights=weights,
        epochs=epochs,
        image_size=image_size,
        device=device,
        precision=precision,  # type: ignore[arg-type]
        workers=workers,
        data_roots=tuple(data_root or ()),
        allow_partial=allow_partial,
        allow_leak=True,
        offline=offline,
    )
    for event in train_all(request, out, fresh=fresh):
        if json:
            say_json(event)
        else:
            say(event["path"])
