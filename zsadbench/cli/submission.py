"""`zsadbench submission`: the archive of maps for a benchmark's server, of its test parts without published labels."""

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
    add_plugins,
    examples,
    with_flags,
)
from zsadbench.cli.shared.output import say, say_json, table, tell
from zsadbench.cli.shared.prompts import warn_of_demo
from zsadbench.cli.shared.requests import detector_request
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import OUTPUT, WHAT
from zsadbench.flags.out import check_out_file

FLAGS = RequestFlags(
    RunRequest,
    "methods options data_roots allow_partial max_pixels backbone weights checkpoint image_size offline device",
    aux="Auxiliary set to learn from without --checkpoint, or 'none' (default: mvtec; demo-aux for the demo backbone).",
)
EXAMPLES = examples(
    "zsadbench submission -m fbclip -t mvtec2 --data-root data",
    "zsadbench submission -m clip -t mvtec2 --out clip.tar.gz",
)
EVERY = 50  # images between two lines


@with_flags
def submission(
    fields: Annotated[Fields, FLAGS],
    target: Annotated[
        str,
        typer.Option("--target", "-t", help="Data set with test parts without labels.", rich_help_panel=WHAT),
    ],
    plugin: Plugin = None,
    out: Annotated[Path, typer.Option(help="The archive, a .tar.gz.", metavar="FILE", rich_help_panel=OUTPUT)] = Path(
        "submission.tar.gz"
    ),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write anomaly maps of the test parts without labels, and the same maps made binary, into one archive."""
    start_logging(quiet=quiet)
    add_plugins(plugin)
    from zsadbench.data import find_card
    from zsadbench.data.images.pixel_limit import allow_pixels
    from zsadbench.errors import UsageError
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.submission import find_submission_images, write_submission

    check_out_file(out)
    request = detector_request(fields)
    allow_pixels(request.max_pixels)
    if request.aux is not None and request.aux != "none" and find_card(request.aux).name == find_card(target).name:
        raise UsageError(f"the method would learn from '{target}' itself; choose another --aux")
    found = find_submission_images(target, request.data_roots, allow_partial=request.allow_partial)
    detector = make_detector(request)
    warn_of_demo(detector.setup.spec, quiet=quiet)
    total, done = len(found.images) + sum(len(found.normal(name)) for name in found.classes), 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % EVERY == 0 or done == total:
            tell(f"{done} of {total} images", quiet=quiet)

    written = write_submission(detector, found, out, count)
    if json:
        for each in written:
            say_json({"event": "class", "class": each.class_name, "threshold": each.threshold, "images": each.images})
        say_json({"event": "done", "path": str(out), "images": len(found.images)})
        return
    rows = [(each.class_name, str(each.images), f"{each.threshold:.6g}") for each in written]
    table(f"{target}: maps of images without labels", ["class", "images", "threshold"], rows)
    say(f"archive: {out}")
