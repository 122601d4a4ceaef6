"""`zsadbench predict`: a heat map and a score for each of one's own images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared import flags
from zsadbench.cli.shared.common import say, say_json, start_logging, table, tell
from zsadbench.cli.shared.requests import detector_request

if TYPE_CHECKING:
    from zsadbench.predict.heat_maps import Prediction


def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Images, folders of images, folder:PATH or csv:PATH.")
    ],
    method: flags.Methods = None,
    class_name: Annotated[str, typer.Option(help="What the images show, for prompts that name it.")] = "object",
    checkpoint: flags.CheckpointPath = None,
    aux: flags.LearnsFrom = None,
    option: flags.MethodOptions = None,
    backbone: flags.BackboneName = None,
    weights: flags.WeightsName = None,
    image_size: flags.ImageSize = None,
    device: flags.Device = "auto",
    data_root: flags.DataRoots = None,
    allow_partial: flags.AllowPartial = False,
    out: Annotated[Path, typer.Option(help="Where heat maps and scores.csv go.")] = Path("predictions"),
    offline: flags.Offline = False,
    json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Score one's own images: heat maps on one fixed colour scale, scores.csv, and a list, strangest first."""
    asked = {name: value for name, value in locals().items() if name != "out"}
    start_logging(quiet=quiet)
    from zsadbench.data import images_of
    from zsadbench.predict.detector import make_detector
    from zsadbench.predict.heat_maps import predict_images, write_scores

    found = images_of(images)
    detector = make_detector(detector_request(asked))
    predictions = []
    for prediction in predict_images(detector, found, class_name, out):
        predictions.append(prediction)
        _tell(prediction, json=json)
    write_scores(out / "scores.csv", predictions)
    if not json:
        _print(predictions, out)
    if any(prediction.failure for prediction in predictions):
        raise typer.Exit(5)


def _tell(prediction: Prediction, *, json: bool) -> None:
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
            }
        )


def _print(predictions: list[Prediction], out: Path) -> None:
    scored = sorted((one for one in predictions if one.score is not None), key=lambda one: -(one.score or 0.0))
    rows = [(f"{one.score:.4f}", f"{one.highest:.4f}", str(one.image)) for one in scored]
    table("strangest first", ["score", "highest", "image"], rows)
    say(f"heat maps and scores.csv: {out}")
