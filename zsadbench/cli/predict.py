"""`zsadbench predict`: scores, heat maps and a triage page of the user's images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from os import fsdecode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from zsadbench.cli.shared.output import say, tell
from zsadbench.cli.shared.prompts import say_words, warn_of_demo
from zsadbench.cli.shared.requests import detector_request
from zsadbench.cli.shared.steps import counted, terminated_as_interrupted
from zsadbench.cli.tables.predictions import print_predictions, report_prediction
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError, UsageError
from zsadbench.flags.fields import COMPUTE, DATA, OUTPUT, WHAT
from zsadbench.flags.out import check_out
from zsadbench.printing import score_text

if TYPE_CHECKING:
    from zsadbench.data import UserImage
    from zsadbench.display.colour_range import ColourRange
    from zsadbench.predict.limits import Limits
    from zsadbench.predict.prediction import Prediction
    from zsadbench.predict.session import Session
    from zsadbench.predict.tiles import Tiles

NAMES = (
    "methods options data_roots allow_partial normal max_pixels backbone weights checkpoint image_size offline device"
)
AUX = "Auxiliary set to learn from without --checkpoint, or 'none' (default: mvtec; demo-aux for the demo backbone)."
FLAGS = RequestFlags(RunRequest, NAMES, aux=AUX)  # of explain too
PREDICT_FLAGS = RequestFlags(RunRequest, f"{NAMES} batch_size", aux=AUX)
EXAMPLES = examples(
    "zsadbench predict -m fbclip photos/ --threshold threshold.json",
    "zsadbench predict -m clip --class-name 'circuit board' --watch new/",
)

Threshold = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        help="Call images above it anomalous: a file of threshold fit, or a number.",
        metavar="FILE|VALUE",
        rich_help_panel=WHAT,
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(help="Normal images that a few-shot method compares with.", metavar="FOLDER", rich_help_panel=DATA),
]
Watched = Annotated[
    Path | None,
    typer.Option(
        "--watch", help="Score images as they arrive in this folder, each once.", metavar="FOLDER", rich_help_panel=DATA
    ),
]
Settle = Annotated[
    float,
    typer.Option(
        help="With --watch: seconds without a change after which a file is finished.",
        metavar="SECONDS",
        rich_help_panel=DATA,
    ),
]
Idle = Annotated[
    float | None,
    typer.Option(
        help="With --watch: end when no image came for so long (default: only when interrupted).",
        metavar="SECONDS",
        rich_help_panel=DATA,
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(help="Score large images in tiles of N × N pixels.", metavar="N", rich_help_panel=COMPUTE),
]
Overlap = Annotated[
    int | None,
    typer.Option(help="Pixels by which tiles overlap (default: a quarter).", metavar="M", rich_help_panel=COMPUTE),
]
Scale = Annotated[
    str | None,
    typer.Option(
        help="Map values at the two ends of the colours (default: from the maps of this call).",
        metavar="LOW,HIGH",
        rich_help_panel=OUTPUT,
    ),
]


@with_flags
def predict(
    fields: Annotated[Fields, PREDICT_FLAGS],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE", help="Images, folders of images, folder:PATH, csv:PATH, or - for a list of paths on stdin."
        ),
    ] = None,
    plugin: Plugin = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            help="What the images show, for prompts that name it (default: the class or the folder; object for paths).",
            metavar="TEXT",
            rich_help_panel=WHAT,
        ),
    ] = None,
    threshold: Threshold = None,
    reference: Reference = None,
    watch: Watched = None,
    settle: Settle = 1.0,
    idle: Idle = None,
    tile: Tile = None,
    overlap: Overlap = None,
    scale: Scale = None,
    out: Annotated[
        Path,
        typer.Option(help="Folder for scores.csv, index.html and heat maps.", metavar="PATH", rich_help_panel=OUTPUT),
    ] = Path("predictions"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score images: heat maps on one colour scale, scores.csv and index.html, the most anomalous image first."""
    start_logging(quiet=quiet)
    add_plugins(plugin)
    from zsadbench.display.colour_range import read_range
    from zsadbench.predict.limits import read_limits
    from zsadbench.predict.reference import reference_images

    check_out(out)
    limits, colours, tiles = read_limits(threshold), read_range(scale), read_tiles(tile, overlap)
    supports = reference_images(reference) if reference is not None else []
    if watch is not None:
        _check_watch(watch, images, settle, idle)
        found = None
    else:
        found = _images(images, class_name, fields, out)
    session = _session(fields, out, limits, colours, tiles, supports, found, class_name, quiet=quiet)
    if found is None:
        from zsadbench.predict.watch.follow import Watch

        assert watch is not None  # noqa: S101 - found is None only with it
        if session.detector.scores_whole_classes:
            raise UsageError(
                f"'{session.detector.setup.name}' scores all images of a class together; leave --watch out"
            )
        failed = _follow(session, Watch(watch, out, class_name or "object", settle, idle), json=json, quiet=quiet)
    else:
        failed = _score_all(session, found, json=json, quiet=quiet)
    if failed:
        raise typer.Exit(5)


def read_tiles(side: int | None, overlap: int | None) -> Tiles | None:
    """Read --tile and --overlap.

    Raises:
        UsageError: there is an overlap without tiles, or the numbers do not go together.
    """
    from zsadbench.predict.tiles import Tiles

    if side is None:
        if overlap is not None:
            raise UsageError("--overlap is that of tiles; pass --tile too")
        return None
    return Tiles(side, side // 4 if overlap is None else overlap)


def _images(names: Sequence[str] | None, word: str | None, fields: Fields, out: Path) -> list[UserImage]:
    """List the images that are named, without the results of earlier calls.

    Raises:
        UsageError: nothing is named.
        DataError: an image is missing, or there are none.
    """
    from zsadbench.data import placed_images
    from zsadbench.predict.heat_maps import MAPS, THUMBNAILS

    if not names:
        raise UsageError("no image named; name images or folders, '-' for a list on stdin, or pass --watch FOLDER")
    listed = [name for one in names for name in (_from_stdin() if one == "-" else [one])]
    if not listed:
        raise DataError("the list of images on stdin is empty")
    results = [(out / folder).resolve() for folder in (MAPS, THUMBNAILS)]
    found = [
        image._replace(word=word or image.word)
        for image in placed_images(listed, fields.get("normal", ()))
        if not any(image.path.resolve().is_relative_to(folder) for folder in results)
    ]
    if not found:
        raise DataError(f"all images that are named are results of an earlier call, in '{out}'")
    return found


def _from_stdin() -> list[str]:
    """Read paths from stdin, one per line, or separated by NUL as `find -print0` writes them."""
    content = sys.stdin.buffer.read()
    separator = b"\0" if b"\0" in content else b"\n"
    return [fsdecode(name.rstrip(b"\r")) for name in content.split(separator) if name.strip()]


def _check_watch(watch: Path, images: Sequence[str] | None, settle: float, idle: float | None) -> None:
    """Check the flags of a watch.

    Raises:
        UsageError: images are named too, or a time cannot be right.
        DataError: there is no such folder.
    """
    if images:
        raise UsageError("--watch scores what arrives in its folder; name no other images")
    if not settle > 0:
        raise UsageError(f"--settle is {settle:g}; it must be more than 0 seconds")
    if idle is not None and not idle > 0:
        raise UsageError(f"--idle is {idle:g}; it must be more than 0 seconds")
    if not watch.is_dir():
        raise DataError(f"--watch '{watch}' is no folder; make it first")


def _session(
    fields: Fields,
    out: Path,
    limits: Limits,
    colours: ColourRange | None,
    tiles: Tiles | None,
    supports: list[Path],
    found: Sequence[UserImage] | None,
    class_name: str | None,
    *,
    quiet: bool,
) -> Session:
    """Load the method, give it its reference images, and check that the threshold is its own."""
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.session import Session

    detector = make_detector(detector_request(fields))
    words = [image.word for image in found] if found is not None else [class_name or "object"]
    say_words(words, quiet=quiet)
    warn_of_demo(detector.setup.spec, quiet=quiet)
    session = Session(detector, out, limits, colours=colours, tiles=tiles, batch_size=fields.get("batch_size"))
    session.prepare(words, supports)
    return session


def _score_all(session: Session, found: Sequence[UserImage], *, json: bool, quiet: bool) -> bool:
    """Score all images, write the results, and return whether one failed."""
    predictions: list[Prediction] = []
    try:
        for prediction in counted(session.predict(found), len(found), "images", quiet=quiet):
            predictions.append(prediction)
            report_prediction(prediction, session.limits, json=json)
    finally:
        if predictions:
            session.write(predictions)
    if not json:
        print_predictions(predictions, session.out, session.limits)
    return any(prediction.failure for prediction in predictions)


def _follow(session: Session, watch: Any, *, json: bool, quiet: bool) -> bool:
    """Watch a folder until it is idle or the command is interrupted; return whether an image failed."""
    from zsadbench.predict.watch.follow import follow, only_watcher
    from zsadbench.predict.watch.journal import Journal

    with ExitStack() as stack:
        stack.enter_context(only_watcher(watch.out))
        stack.enter_context(terminated_as_interrupted())
        journal = Journal(watch.out, session.facts(watch.word, watch.folder))
        known = len(journal.predictions)
        tell(f"watching '{watch.folder}'; {known} images known; results in '{watch.out}'; Ctrl-C ends", quiet=quiet)
        for prediction in follow(
            watch, session.scorer, journal, limits=session.limits, scale=session.colours, write=session.write
        ):
            report_prediction(prediction, session.limits, json=json)
            if not json and prediction.score is not None:
                verdict = session.limits.verdict(prediction.score)
                say(f"{score_text(prediction.score)} {verdict + ' ' if verdict else ''}{prediction.relative}")
                sys.stdout.flush()
        tell(f"{len(journal.predictions) - known} images are new; page: {watch.out / 'index.html'}", quiet=quiet)
        return any(prediction.failure for prediction in journal.predictions.values())
