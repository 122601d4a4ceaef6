"""`zsadbench predict`: a heat map and a score for each image of the user."""

from __future__ import annotations

from os.path import commonpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from zsadbench.cli.shared.prompts import warn_of_demo, with_word
from zsadbench.cli.shared.requests import detector_request
from zsadbench.cli.shared.steps import counted
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import OUTPUT, WHAT
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.predict.heat_maps import Prediction

FLAGS = RequestFlags(
    RunRequest,
    "methods options data_roots allow_partial normal max_pixels backbone weights checkpoint image_size offline device",
    aux="Auxiliary set to learn from without --checkpoint, or 'none' (default: mvtec; demo-aux for the demo backbone).",
)
Reference = Annotated[
    list[str] | None,
    typer.Option(
        help="Normal images, or folders of them, for a method that compares with some; repeatable.",
        metavar="PATH",
        rich_help_panel=WHAT,
    ),
]
EXAMPLES = examples(
    "zsadbench predict -m fbclip photos/",
    "zsadbench predict -m anomalydino --reference good/ photos/ --backbone vit_small_patch14_dinov2",
    "zsadbench predict -m clip --class-name 'circuit board' photo.jpg --out maps",
)


@with_flags
def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Images, folders of images, folder:PATH or csv:PATH.")
    ],
    fields: Annotated[Fields, FLAGS],
    plugin: Plugin = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            help="What the images show, for prompts that name it (default: the class or the folder; object for paths).",
            metavar="TEXT",
            rich_help_panel=WHAT,
        ),
    ] = None,
    reference: Reference = None,
    out: Annotated[
        Path, typer.Option(help="Folder for heat maps and scores.csv.", metavar="PATH", rich_help_panel=OUTPUT)
    ] = Path("predictions"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score images: heat maps on one colour scale, scores.csv, and a list with the most anomalous image first."""
    start_logging(quiet=quiet)
    add_plugins(plugin)
    from zsadbench.data import images_of
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.heat_maps import predict_images, write_scores
    from zsadbench.predict.reference import check_reference, remember

    check_out(out)
    found = images_of(images, fields.get("normal", ()))
    detector = make_detector(detector_request(fields))
    known = list(images_of(reference or (), fields.get("normal", ())))
    check_reference(detector, given=bool(known))
    if known:
        remember(detector, known)
    paths = with_word(found, class_name, quiet=quiet)
    warn_of_demo(detector.setup.spec, quiet=quiet)
    predictions = []
    for prediction in counted(predict_images(detector, paths, out), len(paths), "images", quiet=quiet):
        predictions.append(prediction)
        _report(prediction, json=json)
    write_scores(out / "scores.csv", predictions)
    if not json:
        _print(predictions, out)
    if any(prediction.failure for prediction in predictions):
        raise typer.Exit(5)


def _report(prediction: Prediction, *, json: bool) -> None:
    """Say what failed; with `json` print the image's event."""
    if prediction.failure:
        tell(f"error: {prediction.failure}")
    elif json:
        say_json(
            {
                "event": "image",
                "path": str(prediction.image),
                "score": prediction.score,
                "highest": prediction.highest,
                "heat_map": str(prediction.heat_map),
                "scale": prediction.scale,
            }
        )


def _print(predictions: list[Prediction], out: Path) -> None:
    """Print one row per scored image, the highest score first; of equal scores, the highest value of the map first."""
    scored = sorted(
        (prediction for prediction in predictions if prediction.score is not None),
        key=lambda entry: (-(entry.score or 0.0), -(entry.highest or 0.0)),
    )
    if not scored:
        return
    folder = Path(commonpath([prediction.image.absolute().parent for prediction in scored]))
    rows = [
        (f"{prediction.score:.4f}", f"{prediction.highest:.4f}", str(prediction.image.absolute().relative_to(folder)))
        for prediction in scored
    ]
    table(f"most anomalous first, below {folder}", ["score", "highest", "image"], rows)
    scale = scored[0].scale
    if scale is not None:
        say(f"colours: {scale.text}")
    say(f"heat maps and scores.csv: {out}")
