"""`zsadbench explain`: what a method computes on the way to its score, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.predict import FLAGS, Reference
from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import (
    Fields,
    Json,
    Plugin,
    Quiet,
    add_plugins,
    examples,
    with_flags,
)
from zsadbench.cli.shared.output import say, say_json, tell
from zsadbench.cli.shared.prompts import warn_of_demo, with_word
from zsadbench.cli.shared.requests import detector_request
from zsadbench.flags.fields import OUTPUT, WHAT
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.predict.explain import Explanation

EXAMPLES = examples(
    "zsadbench explain -m fbclip photo.jpg",
    "zsadbench explain -m afclip --class bottle photos/ --out stages",
)


@with_flags
def explain(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Images, folders of images, folder:PATH or csv:PATH.")
    ],
    fields: Annotated[Fields, FLAGS],
    plugin: Plugin = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            "--class-name",
            help="What the images show, for prompts that name it (default: the class or the folder; object for paths).",
            metavar="TEXT",
            rich_help_panel=WHAT,
        ),
    ] = None,
    reference: Reference = None,
    out: Annotated[
        Path, typer.Option(help="Folder for one folder per image.", metavar="PATH", rich_help_panel=OUTPUT)
    ] = Path("explained"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw every stage of a method on images: one PNG per stage, a sheet of all, and stages.json."""
    start_logging(quiet=quiet)
    add_plugins(plugin)
    from zsadbench.data import images_of
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.explain import explain as draw
    from zsadbench.predict.reference import check_reference, reference_images, remember_reference

    check_out(out)
    found = images_of(images, fields.get("normal", ()))
    detector = make_detector(detector_request(fields))
    known = reference_images(reference) if reference is not None else []
    check_reference(detector, given=bool(known))
    paths = with_word(found, class_name, quiet=quiet)
    if known:
        remember_reference(detector, known, next(iter(paths.values())))
    warn_of_demo(detector.setup.spec, quiet=quiet)
    failed = False
    for explained in draw(detector, paths, out):
        _report(explained, json=json)
        failed = failed or bool(explained.failure)
    if failed:
        raise typer.Exit(5)


def _report(explained: Explanation, *, json: bool) -> None:
    """Say what was drawn or what failed; with `json` print the image's event."""
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
