"""`zsadbench profile`: latency, throughput, memory, parameters and multiply-accumulates, a stage at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, split, split_numbers, start_logging, tell
from zsadbench.cli.shared.requests import request_of


def profile(
    method: flags.Methods = None,
    option: flags.MethodOptions = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    image_size: flags.ImageSize = None,
    device: flags.Device = "auto",
    precision: Annotated[
        str, typer.Option(help="fp32, bf16, fp16, or a comma list.", envvar="ZSADBENCH_PRECISION")
    ] = "fp32",
    compile: flags.Compile = "off",
    batch_size: Annotated[str, typer.Option(help="Images at a time, or a comma list.")] = "1",
    scenario: Annotated[
        str, typer.Option(help="single-stream: one batch after the other; offline: all at once.")
    ] = "single-stream",
    rounds: Annotated[
        int | None, typer.Option(help="Calls that are timed (default: 5 or more, for ten seconds).")
    ] = None,
    training: Annotated[bool, typer.Option("--training", help="Time steps of training, too.")] = False,
    save_maps: Annotated[bool, typer.Option("--save-maps", help="Refused: files are not part of a time.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for profile.json and profile.svg.")] = None,
    offline: flags.Offline = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Measure what methods cost on this machine, with published costs beside in columns of their own.

    With --json one object a method, precision and batch size, as soon as it is measured.
    """
    asked = {
        name: value for name, value in locals().items() if name not in {"out", "precision", "batch_size", "rounds"}
    }
    start_logging(quiet=quiet, verbose=verbose)
    from zsadbench.profile.measure import ProfileRequest
    from zsadbench.profile.measure import profile as measure

    request = ProfileRequest(
        request_of(asked, targets=("none",), aux="none"),
        split([precision]),
        split_numbers([batch_size], "--batch-size"),
        scenario,  # type: ignore[arg-type]  # checked there
        rounds,
        training,
    )
    found: list[dict[str, Any]] = []
    try:
        for one in measure(request):
            found.append(one)
            if json:
                say_json(one)
    finally:
        _leave(found, request, out, json=json)


def _leave(found: list[dict[str, Any]], request: Any, out: Path | None, *, json: bool) -> None:
    """Print and write what was measured, also when something failed on the way."""
    if not found:
        return
    if not json:
        from zsadbench.cli.tables.profile import print_profile

        print_profile(found)
    if out is not None:
        from zsadbench.profile.files import write_profile

        for path in write_profile(out, found, request.run.device):
            (tell if json else say)(f"written: {path}")
