"""`zsadbench explain`: what a method computes on the way to its score, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, start_logging, tell
from zsadbench.cli.shared.requests import detector_request

if TYPE_CHECKING:
    from zsadbench.predict.explain import Explanation


def explain(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Images, folders of images, folder:PATH or csv:PATH.")
    ],
    method: flags.Methods = None,
    class_name: Annotated[
        str, typer.Option("--class", "--class-name", help="What the images show, for prompts that name it.")
    ] = "object",
    checkpoint: flags.CheckpointPath = None,
    aux: flags.LearnsFrom = None,
    option: flags.MethodOptions = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    image_size: flags.ImageSize = None,
    device: flags.Device = "auto",
    data_root: flags.DataRoots = None,
    allow_partial: flags.AllowPartial = False,
    out: Annotated[Path, typer.Option(help="Where a folder for each image goes.")] = Path("explained"),
    offline: flags.Offline = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Draw every stage of a method on one's own images: a PNG a stage, a sheet of all, and stages.json."""
    asked = {name: value for name, value in locals().items() if name != "out"}
    start_logging(quiet=quiet)
    from zsadbench.data import images_of
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.explain import explain as draw

    found = images_of(images)
    detector = make_detector(detector_request(asked))
    failed = False
    for explained in draw(detector, found, class_name, out):
        _tell(explained, json=json)
        failed = failed or bool(explained.failure)
    if failed:
        raise typer.Exit(5)


def _tell(explained: Explanation, *, json: bool) -> None:
    if explained.failure:
        tell(f"error: {explained.failure}")
    elif json:
        say_json(
            {
                "event": "image",
                "path": str(explained.image),
                "score": explained.score,
                "folder": str(explained.folder),
                "pictures": explained.pictures,
            }
        )
    else:
        say(f"{explained.folder}: {explained.pictures} pictures, sheet.png, stages.json; score {explained.score:.4f}")
