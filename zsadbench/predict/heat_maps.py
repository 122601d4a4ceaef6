"""`zsadbench predict`: scores and heat maps of images without labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zsadbench.data import read_image
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.errors import CellError, DataError
from zsadbench.files import write_atomically
from zsadbench.pictures import overlay, write_png
from zsadbench.predict.detector import LoadedMethod
from zsadbench.predict.together import score_classes
from zsadbench.printing import spreadsheet_text
from zsadbench.types import Scores


@dataclass(frozen=True)
class Prediction:
    """The result of one image: its score, the largest value of its anomaly map and the file of its heat map.

    Where the image could not be read or scored, `failure` says why and the other fields are None.
    """

    image: Path
    score: float | None = None
    highest: float | None = None
    heat_map: Path | None = None
    failure: str = ""


def predict_images(detector: LoadedMethod, images: Mapping[Path, str], out: Path) -> Iterator[Prediction]:
    """Score images one after another and write a heat map per image.

    All heat maps have the colour scale of the method's card. An image that cannot be read or scored gives a prediction
    with a `failure`, and the others go on.

    Args:
        detector: the loaded method.
        images: path of an image → the word for its prompts.
        out: folder for the heat maps, `<image name>.png`.
    """
    low, high = detector.setup.method.card.map_range
    taken: set[str] = set()
    for path, scores in _scored(detector, images):
        if isinstance(scores, Exception):
            yield Prediction(path, failure=f"{path}: {scores}" if isinstance(scores, CellError) else str(scores))
            continue
        heat_map = out / free_name(path.stem, taken, ".png")
        anomaly_map = scores.pixel[0].numpy()
        write_png(heat_map, overlay(read_image(path), anomaly_map, low, high))
        yield Prediction(path, float(scores.image[0]), float(anomaly_map.max()), heat_map)


def _scored(detector: LoadedMethod, images: Mapping[Path, str]) -> Iterator[tuple[Path, Scores | Exception]]:
    """Score images one after another, or class by class by a method that scores whole classes."""
    if detector.scores_whole_classes:
        yield from score_classes(detector, images, read_image)
        return
    for path, word in images.items():
        try:
            with limited_threads():
                yield path, detector.predict(read_image(path), word)
        except (DataError, CellError) as failure:
            yield path, failure


def free_name(stem: str, taken: set[str], suffix: str = "") -> str:
    """Return a file name that is not in `taken`, upper and lower case being the same, and add it to `taken`."""
    name, number = f"{stem}{suffix}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.casefold())
    return name


def write_scores(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write a CSV table with one row per image: `path, score, highest, heat_map`.

    Rows are in the order of the images; the last three columns are empty where the image could not be read. Paths are
    escaped as on the terminal, so that every row is one line of UTF-8. A path that begins like a formula gets an
    apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["path", "score", "highest", "heat_map"])
    for prediction in predictions:
        numbers = ["" if value is None else value for value in (prediction.score, prediction.highest)]
        heat_map = "" if prediction.heat_map is None else spreadsheet_text(prediction.heat_map)
        writer.writerow([spreadsheet_text(prediction.image), *numbers, heat_map])
    write_atomically(path, buffer.getvalue().encode())
