"""`zsadbench threshold fit` and `threshold check`: thresholds that can be defended."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsadbench.cli.predict import Overlap, Reference, Tile, read_tiles
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
from zsadbench.cli.shared.steps import counted
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError, UsageError
from zsadbench.flags.fields import DATA, OUTPUT, WHAT
from zsadbench.flags.out import check_out_file

if TYPE_CHECKING:
    from zsadbench.predict.scoring import ImageScorer
    from zsadbench.predict.tiles import Tiles
    from zsadbench.thresholds import Agreement, Threshold

app = typer.Typer(no_args_is_help=True)

NAMES = "methods options data_roots allow_partial max_pixels backbone weights checkpoint image_size offline device"
AUX = "Auxiliary set to learn from without --checkpoint, or 'none' (default: mvtec; demo-aux for the demo backbone)."
FLAGS = RequestFlags(RunRequest, NAMES, aux=AUX)
CHECK_FLAGS = RequestFlags(RunRequest, NAMES, aux=AUX, methods="Method (default: that of the file).")
OBJECT = "object"


@app.callback()
def root() -> None:
    """Fit thresholds on your own images, and check whether they still hold."""


@app.command(
    epilog=examples(
        "zsadbench threshold fit -m fbclip --normal good/ -o threshold.json",
        "zsadbench threshold fit -m fbclip --normal good/ --defective bad/ -o t.json",
    )
)
@with_flags
def fit(
    fields: Annotated[Fields, FLAGS],
    normal: Annotated[
        list[str],
        typer.Option("--normal", help="Folder of normal images; repeatable.", metavar="FOLDER", rich_help_panel=DATA),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File to write, in place of an earlier one.",
            metavar="FILE.json",
            rich_help_panel=OUTPUT,
        ),
    ],
    defective: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of defective images, for the recall; repeatable.", metavar="FOLDER", rich_help_panel=DATA
        ),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(help="Largest false-alarm rate (overkill), as a fraction.", metavar="RATE", rich_help_panel=WHAT),
    ] = 0.05,
    class_name: Annotated[
        str,
        typer.Option(
            help="What the images show, for prompts that name it; predict needs the same.",
            metavar="TEXT",
            rich_help_panel=WHAT,
        ),
    ] = OBJECT,
    plugin: Plugin = None,
    reference: Reference = None,
    tile: Tile = None,
    overlap: Overlap = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a threshold: from normal images, with a guaranteed rate of false alarms.

    Of n normal images, n ≥ 1/alpha − 1 are needed. With defective images, the recall is stated with its interval.
    """
    start_logging(quiet=quiet)
    add_plugins(plugin)
    from zsadbench.predict.thresholds import all_read, find_images, fit_threshold, score_images
    from zsadbench.thresholds import write_threshold

    check_out_file(out)
    tiles, supports = read_tiles(tile, overlap), _supports(reference)
    images = find_images(normal, defective or [], alpha, supports)
    scorer, digest = _load(fields, supports, class_name, tiles)
    warn_of_demo(scorer.detector.setup.spec, quiet=quiet)
    paths = [*images.normal.values(), *images.defective.values()]
    values = all_read(counted(score_images(scorer, paths, class_name), len(paths), "images", quiet=quiet))
    threshold = fit_threshold(
        scorer.detector, images, values, alpha, word=class_name, request=fields, reference=digest, tiles=tiles
    )
    write_threshold(out, threshold)
    _warn_of_ties(threshold, quiet=quiet)
    _print_fit(threshold, out, json=json)


def _supports(reference: Path | None) -> list[Path]:
    """List the reference images of a few-shot method.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    from zsadbench.predict.reference import reference_images

    return reference_images(reference) if reference is not None else []


def _load(fields: Fields, supports: list[Path], word: str, tiles: Tiles | None) -> tuple[ImageScorer, str | None]:
    """Load the method and give it its reference images; return what scores, and the digest of these images."""
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.reference import check_reference, remember_reference
    from zsadbench.predict.scoring import ImageScorer

    detector = make_detector(detector_request(fields))
    if detector.scores_whole_classes:
        raise UsageError(
            f"'{detector.setup.name}' scores images of a class together: a score depends on the other images, and a "
            "threshold would hold for these alone; use a method that scores each image by itself"
        )
    check_reference(detector, given=bool(supports))
    digest = remember_reference(detector, supports, word) if supports else None
    return ImageScorer(detector, tiles), digest


def _warn_of_ties(threshold: Threshold, *, quiet: bool) -> None:
    """Warn where several normal images have the value of the threshold: scores may be saturated."""
    for name in ("image", "pixel"):
        fitted = getattr(threshold, name).fit
        if fitted.tied > 1:
            tell(
                f"warning: {fitted.tied} normal images have exactly the {name} threshold {fitted.threshold:g}; "
                "the rate holds, but the values may be saturated and hide defects",
                quiet=quiet,
            )


def _print_fit(threshold: Threshold, out: Path, *, json: bool) -> None:
    """Print both thresholds with their guarantee, and the recall where defective images were given."""
    levels = {name: getattr(threshold, name) for name in ("image", "pixel")}
    if json:
        content = {name: {**asdict(level), "guarantee": level.fit.guarantee} for name, level in levels.items()}
        say_json({"event": "threshold", "path": str(out), "method": threshold.detector["method"], **content})
        return
    rows = []
    for name, level in levels.items():
        found = level.recall
        recall = f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" if found else "-"
        rows.append((name, f"{level.fit.threshold:.6g}", str(level.fit.normal), f"{level.fit.expected:.4f}", recall))
    table("", ["level", "threshold", "normal images", "false alarms", "recall [95 %]"], rows)
    say(f"guarantee, image: {levels['image'].fit.guarantee}")
    say("guarantee, pixel: the same for the largest value of the map, so a normal image rarely has any pixel above it")
    say(f"written: {out}; use it with zsadbench predict --threshold {out}")


@app.command(
    epilog=examples(
        "zsadbench threshold check threshold.json good-of-today/",
        "zsadbench threshold check threshold.json good/ --checkpoint fb.safetensors",
    )
)
@with_flags
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="What threshold fit wrote.")],
    folders: Annotated[list[str], typer.Argument(metavar="FOLDER", help="Folders of new normal images.")],
    fields: Annotated[Fields, CHECK_FLAGS],
    plugin: Plugin = None,
    reference: Reference = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say whether the false-alarm rate on new normal images still fits; exit code 1 where it does not.

    The method is loaded as for the fit; flags replace what the file says, such as the place of a checkpoint.
    """
    start_logging(quiet=quiet)
    add_plugins(plugin)
    from zsadbench.predict.detector_facts import detector_facts
    from zsadbench.predict.thresholds import (
        all_read,
        check_threshold,
        score_images,
        unique_images,
        without_reference,
    )
    from zsadbench.predict.tiles import Tiles
    from zsadbench.thresholds import read_threshold

    threshold = read_threshold(file)
    word, cut, supports = threshold.class_name, threshold.detector.get("tiles"), _supports(reference)
    images = without_reference(unique_images(folders, "FOLDER"), supports)
    new = [path for sha256, path in images.items() if sha256 not in threshold.fitted_on["normal"]["sha256"]]
    if not new:
        raise DataError("all images are those that the threshold was fitted on; give new ones")
    if len(new) < len(images):
        tell(f"{len(images) - len(new)} images of the fit are left out", quiet=quiet)
    scorer, digest = _load(_with_request(threshold, fields), supports, word, Tiles(*cut) if cut else None)
    facts = detector_facts(scorer.detector, word, reference=digest, tiles=tuple(cut) if cut else None)
    threshold.check_detector(facts, file)
    values = all_read(counted(score_images(scorer, new, word), len(new), "images", quiet=quiet))
    agreements = check_threshold(threshold, values)
    _print_check(agreements, json=json)
    if any(found.verdict == "too many" for found in agreements.values()):
        raise typer.Exit(1)


def _with_request(threshold: Threshold, fields: Fields) -> Fields:
    """Return the fields of the file, under those that flags set."""
    stored: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in threshold.request.items()
    }
    return {**stored, **{key: value for key, value in fields.items() if value}}


def _print_check(agreements: dict[str, Agreement], *, json: bool) -> None:
    """Print the answer for each level, as a sentence or as one JSON object."""
    if json:
        say_json({"event": "check", **{name: asdict(found) for name, found in agreements.items()}})
        return
    for name, found in agreements.items():
        say(f"{name}: {found.sentence}")
